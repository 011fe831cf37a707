"""The interface of the transports: requests, replies and streamed bodies."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Mapping

#: The largest response body that is read, in bytes.
MOST_BYTES: t.Final = 64 * 1024 * 1024


class Unreachable(Exception):
    """There was no response. The message has the reason."""


@dataclass(frozen=True)
class Reply:
    """A response."""

    status: int
    headers: dict[str, str]
    """By lower-case name; the values of repeated headers are joined by commas."""

    body: bytes = b""
    held: int = 0
    """How many bytes of the request's body a hook of the application has read into
    memory, as far as the transport can see it."""

    @property
    def is_registry(self) -> bool:
        """Return True if the response is the registry's, not a proxy's or a hook's."""
        if "docker-distribution-api-version" in self.headers:
            return True
        return self.has_error

    @property
    def has_error(self) -> bool:
        """Return True if the body is a JSON error of the registry."""
        errors = self.fields.get("errors")
        return isinstance(errors, list) and all(isinstance(e, dict) for e in errors)

    @property
    def codes(self) -> list[str]:
        """Return the codes of the registry's errors in the body."""
        if not self.has_error:
            return []
        return [str(error.get("code")) for error in self.fields["errors"]]

    @property
    def fields(self) -> dict[str, t.Any]:
        """Return the JSON object in the body, or an empty one."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def summary(self) -> str:
        """Return the response in a few words."""
        if self.has_error and (errors := self.fields["errors"]):
            return f"{self.status}: {errors[0].get('message')}".rstrip(".")
        kind = self.headers.get("content-type", "no content").partition(";")[0]
        to = f" to {self.headers['location']}" if self.is_redirect else ""
        server = self.headers.get("server")
        return f"{self.status}{to}, {kind}" + (f", from {server}" if server else "")

    @property
    def is_redirect(self) -> bool:
        """Return True if the response is a redirect."""
        return self.status in (301, 302, 303, 307, 308) and "location" in self.headers


@dataclass(frozen=True)
class StreamedBody:
    """The body of a request, in chunks."""

    chunks: Iterable[bytes]
    length: int | None
    """The value of Content-Length; None omits the header."""


class Transport(t.Protocol):
    """Sends requests to the registry, directly or through its public address."""

    name: str
    """The public address; empty for the application itself."""

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | StreamedBody | None = None,
    ) -> Reply:
        """Send a request, and return the response.

        :param path: the percent-encoded path and query.
        :raises Unreachable: if there is no response.
        """

    def announce(
        self, method: str, path: str, length: int, headers: Mapping[str, str]
    ) -> Reply | None:
        """Announce a body, send none of it, and return the response.

        Return None if the server waits for the body, as it should.
        """


class Checkpoint(t.NamedTuple):
    """A function to call between two chunks of a body."""

    after: int
    """The number of bytes after which to call it."""

    call: Callable[[], None]


def split_body(
    content: bytes, size: int, checkpoint: Checkpoint | None = None
) -> Iterable[bytes]:
    """Yield a body in chunks, and call a function in between."""
    for start in range(0, len(content), size):
        if checkpoint is not None and checkpoint.after == start:
            checkpoint.call()
        yield content[start : start + size]
