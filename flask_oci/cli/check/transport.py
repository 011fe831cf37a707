"""How a check asks: what is common to the application and to its address."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Mapping

#: How many bytes of an answer are read.
MOST_BYTES: t.Final = 64 * 1024 * 1024


class Unreachable(Exception):
    """There was no answer. The text says why, in a sentence."""


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: dict[str, str]
    """By lower-case name; what is repeated is joined by commas."""

    body: bytes = b""

    @property
    def is_registry(self) -> bool:
        """Whether the registry wrote it, and not something on the way."""
        if "docker-distribution-api-version" in self.headers:
            return True
        return self.has_error

    @property
    def has_error(self) -> bool:
        """Whether the body is an error in the registry's own JSON."""
        errors = self.fields.get("errors")
        return isinstance(errors, list) and all(isinstance(e, dict) for e in errors)

    @property
    def fields(self) -> dict[str, t.Any]:
        """The JSON object that the body is, or an empty one."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def summary(self) -> str:
        """The answer in a few words."""
        if self.has_error and (errors := self.fields["errors"]):
            return f"{self.status}: {errors[0].get('message')}".rstrip(".")
        kind = self.headers.get("content-type", "no content").partition(";")[0]
        to = f" to {self.headers['location']}" if self.is_redirect else ""
        server = self.headers.get("server")
        return f"{self.status}{to}, {kind}" + (f", from {server}" if server else "")

    @property
    def is_redirect(self) -> bool:
        """Whether it sends the client elsewhere."""
        return self.status in (301, 302, 303, 307, 308) and "location" in self.headers


@dataclass(frozen=True)
class Pieces:
    """The body of a request, a piece at a time."""

    pieces: Iterable[bytes]
    length: int | None
    """How many bytes there are; None does not announce it."""


class Transport(t.Protocol):
    """Asks the registry, with or without what is in front of it."""

    name: str
    """The address, or nothing for the application itself."""

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Pieces | None = None,
    ) -> Reply:
        """Send a request, and return its answer.

        :param path: with its query, percent-encoded.
        :raises Unreachable: when there is none.
        """

    def announce(
        self, method: str, path: str, length: int, headers: Mapping[str, str]
    ) -> Reply | None:
        """Announce a body and send none of it; return what is answered to that, or
        None when the other side waits for the body, as it should."""


class Watch(t.NamedTuple):
    """Something to do between two pieces of a body."""

    after: int
    """Behind how many bytes."""

    do: Callable[[], None]


def pieces_of(content: bytes, size: int, watch: Watch | None = None) -> Iterable[bytes]:
    """Cut a body into pieces, and do something in between."""
    for start in range(0, len(content), size):
        if watch is not None and watch.after == start:
            watch.do()
        yield content[start : start + size]
