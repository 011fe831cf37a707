"""Bodies of requests as servers hand them on, and sessions as they must end up."""

from __future__ import annotations

import io
import typing as t
from dataclasses import dataclass

Environ = dict[str, t.Any]

#: The largest blob of these tests; two long chunks have more.
LIMIT: t.Final = 1_100_000


class Large(bytes):
    """Many bytes that are shown in few characters."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


class Breaking:
    """A body whose connection breaks behind its last byte.

    It has no more methods than PEP 3333 demands and the registry needs.
    """

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1, /) -> bytes:
        """Return what there is, and then fail as servers do."""
        piece = self._content.read(size)
        if not piece:
            raise OSError("the client has gone away")
        return piece


@dataclass
class Session:
    """What a session must be, counted without the registry."""

    location: str
    stored: bytes = b""
    ended: bool = False

    @property
    def range(self) -> str:
        """What the Range header of its status says."""
        return f"0-{max(len(self.stored) - 1, 0)}"

    @property
    def room(self) -> int:
        """How many more bytes it may take."""
        return LIMIT - len(self.stored)


@dataclass(frozen=True)
class Framing:
    """How a request carries its body, and how it shows that the body breaks off."""

    name: str
    whole: t.Callable[[bytes], Environ]
    """Makes what the application gets of a body that arrives."""

    broken: t.Callable[[bytes, int], Environ]
    """Makes what it gets of the first part of a body of so many bytes."""

    has_length: bool = True


def content_range(start: int, length: int) -> str:
    """Write the Content-Range of a chunk."""
    return f"{start}-{start + length - 1}"


def _announced(content: bytes, size: int) -> Environ:
    return {"wsgi.input": io.BytesIO(content), "CONTENT_LENGTH": str(size)}


def _unannounced(source: t.Any) -> Environ:
    return {
        "wsgi.input": source,
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
        "CONTENT_LENGTH": "",
    }


#: What Werkzeug's server does, gunicorn with a length, and both with chunks.
FRAMINGS: t.Final = (
    Framing(
        "an announced length", lambda body: _announced(body, len(body)), _announced
    ),
    Framing(
        "an announced length, on a server that hides where a body breaks off",
        lambda body: {**_announced(body, len(body)), "wsgi.input_terminated": True},
        lambda part, size: {**_announced(part, size), "wsgi.input_terminated": True},
    ),
    Framing(
        "chunks",
        lambda body: _unannounced(io.BytesIO(body)),
        lambda part, size: _unannounced(Breaking(part)),
        has_length=False,
    ),
)
