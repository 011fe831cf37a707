"""Request bodies as servers pass them on, and the expected state of sessions."""

from __future__ import annotations

import io
import typing as t
from dataclasses import dataclass

Environ = dict[str, t.Any]

#: The size limit of a blob in these tests; two long chunks exceed it.
LIMIT: t.Final = 1_100_000


class Large(bytes):
    """Many bytes with a short representation."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


class Breaking:
    """A body whose connection breaks after its last byte.

    It has only the methods that PEP 3333 requires and the registry uses.
    """

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1, /) -> bytes:
        """Return the available bytes, and then fail as servers do."""
        piece = self._content.read(size)
        if not piece:
            raise OSError("the client has gone away")
        return piece


@dataclass
class Session:
    """The expected state of a session, computed without the registry."""

    location: str
    stored: bytes = b""
    ended: bool = False

    @property
    def range(self) -> str:
        """The Range header of its status."""
        return f"0-{max(len(self.stored) - 1, 0)}"

    @property
    def room(self) -> int:
        """The number of bytes that it may still receive."""
        return LIMIT - len(self.stored)


@dataclass(frozen=True)
class Framing:
    """The way in which a request carries its body, and an incomplete body."""

    name: str
    whole: t.Callable[[bytes], Environ]
    """Return the environment of a complete body."""

    broken: t.Callable[[bytes, int], Environ]
    """Return the environment of the first part of a body of this many bytes."""

    has_length: bool = True


def content_range(start: int, length: int) -> str:
    """Return the Content-Range of a chunk."""
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


#: Werkzeug's server and gunicorn with a length, and both with chunks.
FRAMINGS: t.Final = (
    Framing(
        "an announced length", lambda body: _announced(body, len(body)), _announced
    ),
    Framing(
        "an announced length, on a server that hides an incomplete body",
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
