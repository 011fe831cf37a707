"""Bodies of requests."""

from __future__ import annotations

import typing as t

from flask import g
from flask import request
from werkzeug.exceptions import ClientDisconnected
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import RequestEntityTooLarge

from ..errors import SizeInvalid
from ..errors import Unsupported

if t.TYPE_CHECKING:
    from werkzeug.datastructures import MultiDict

    from ..storage.protocol import Reader

#: How many bytes of an unread body are read before an error is answered. Many
#: clients see a broken connection, not the answer, if nobody reads what they
#: are still sending.
DRAINED: t.Final = 8 * 1024 * 1024

_PIECE = 64 * 1024
_BROKEN_OFF = "The body broke off or is malformed; send it again."


def check_announcement() -> None:
    """Refuse a length that is none; Werkzeug would take it for an empty body.

    :raises SizeInvalid: when ``Content-Length`` is not a whole number.
    """
    announced = request.environ.get("CONTENT_LENGTH") or "0"
    if not (announced.isascii() and announced.isdecimal()):
        raise SizeInvalid(
            "Content-Length is the number of bytes in the body, in decimal digits.",
            detail=announced,
        )


def stream() -> Reader:
    """Return the body of the current request, to be read a piece at a time.

    :raises Unsupported: 501, when the server under Flask does not hand on
        bodies whose length was not announced. What would arrive then is an
        empty body, and an empty blob would be stored.
    """
    if _is_hidden():
        raise Unsupported(
            "The WSGI server of this registry does not pass on bodies with"
            " 'Transfer-Encoding: chunked'. Use gunicorn, waitress or Werkzeug, or"
            " put a proxy in front that buffers requests.",
            status=501,
        )
    return _Received()


def form() -> MultiDict[str, str]:
    """Return the form in the body of the current request.

    :raises SizeInvalid: if the form is larger than the view takes.
    :raises ClientDisconnected: if the body breaks off or is malformed.
    """
    try:
        return request.form
    except HTTPException:
        raise
    except Exception as error:
        # Each server has exceptions of its own for a body that it cannot read.
        raise ClientDisconnected(_BROKEN_OFF) from error


def check_length(received: int) -> None:
    """Compare what arrived with what was announced; not every server does.

    :raises SizeInvalid: when they differ.
    """
    g._oci_received = received
    announced = request.content_length
    if announced is not None and announced != received:
        raise SizeInvalid(
            f"{announced} bytes were announced and {received} arrived; send the rest.",
            detail=str(received),
        )


def has_body() -> bool:
    """Tell whether the current request announces a body."""
    return bool(request.content_length) or "HTTP_TRANSFER_ENCODING" in request.environ


def drain() -> None:
    """Read a bounded part of what has not been read of the body."""
    if not has_body() or _is_hidden():
        return
    try:
        left = DRAINED
        source = _Received()
        while left > 0 and (piece := source.read(_PIECE)):
            left -= len(piece)
    except (HTTPException, OSError):
        return


class _Received:
    """The body of the current request.

    Werkzeug's server makes the buffer that it is to fill shorter where a chunk
    breaks off, and says that it is full. What Python makes of that has the rest of
    it from anywhere in the process's memory, without an end if the client names a
    length without one. A view keeps its length, and the attempt is an error.
    """

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, and none at the end."""
        buffer = memoryview(bytearray(size))
        try:
            received = t.cast(t.Any, request.stream).readinto(buffer)
        except RequestEntityTooLarge:
            raise
        except Exception as error:
            # Every server has exceptions of its own for what it cannot read.
            raise ClientDisconnected(_BROKEN_OFF) from error
        return bytes(buffer[:received])


def _is_hidden() -> bool:
    return (
        request.content_length is None
        and "HTTP_TRANSFER_ENCODING" in request.environ
        and not request.environ.get("wsgi.input_terminated")
    )
