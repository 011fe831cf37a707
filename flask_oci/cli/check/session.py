"""One walk through the registry: over the address, or of the application itself."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field
from urllib.parse import urljoin
from urllib.parse import urlsplit

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from .sandbox import Sandbox
    from .target import Target
    from .transport import Pieces
    from .transport import Reply
    from .transport import Transport


@dataclass
class Session:
    """Somebody who asks."""

    subject: Target
    transport: Transport
    rehearsal: Sandbox

    size: int
    """How many bytes a layer has, that is pushed for a try."""

    entered: bool = False
    """Whether there is a registry at all."""

    pushes: bool = False
    """Whether there is somebody who may push."""

    bearer: str | None = None
    """The token that was had, once there is one."""

    passed_over: list[str] = field(default_factory=list)
    """What could not be looked at, and why, a sentence each."""

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Pieces | None = None,
        *,
        anonymous: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request with the token that there is.

        :param anonymous: whether to leave it out.
        """
        sent = dict(headers or {})
        if self.bearer and not anonymous:
            sent["Authorization"] = f"Bearer {self.bearer}"
        return self.transport.ask(method, path, sent, body)

    def announce(self, method: str, path: str, length: int) -> Reply | None:
        """Announce a body, without credentials, and send none of it."""
        return self.transport.announce(method, path, length, {})

    def follow(self, path: str, location: str) -> str:
        """Return where a ``Location`` leads, as a path, as far as it stays here."""
        return urlsplit(urljoin(path, location))._replace(scheme="", netloc="").geturl()
