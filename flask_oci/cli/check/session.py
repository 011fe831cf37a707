"""A series of requests over one transport, with the token that they use."""

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
    from .transport import Reply
    from .transport import StreamedBody
    from .transport import Transport


@dataclass
class Session:
    """A client that sends requests over one transport."""

    target: Target
    transport: Transport
    sandbox: Sandbox

    size: int
    """The size of the layers to push, in bytes."""

    has_registry: bool = False
    """Whether a registry answers at all."""

    may_push: bool = False
    """Whether the token allows pushes."""

    bearer: str | None = None
    """The token, once it is issued."""

    skipped: list[str] = field(default_factory=list)
    """Checks that were skipped, with the reason, one sentence each."""

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | StreamedBody | None = None,
        *,
        anonymous: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request, with the token if there is one.

        :param anonymous: whether to omit the token.
        """
        sent = dict(headers or {})
        if self.bearer and not anonymous:
            sent["Authorization"] = f"Bearer {self.bearer}"
        return self.transport.ask(method, path, sent, body)

    def announce(self, method: str, path: str, length: int) -> Reply | None:
        """Announce a body without credentials, and send none of it."""
        return self.transport.announce(method, path, length, {})

    def follow(self, path: str, location: str) -> str:
        """Return the path of a ``Location`` header, without its scheme and host."""
        return urlsplit(urljoin(path, location))._replace(scheme="", netloc="").geturl()
