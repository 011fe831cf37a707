"""Request bodies: announced length, streaming and draining."""

from __future__ import annotations

import io
import typing as t
from contextlib import suppress
from functools import partial

from flask import request
from werkzeug.exceptions import ClientDisconnected
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import RequestEntityTooLarge

from ..errors import SizeInvalid
from ..errors import Unsupported
from ..events.request_state import request_state
from ..events.warn_once import advise

if t.TYPE_CHECKING:
    from werkzeug.datastructures import MultiDict
    from werkzeug.wrappers import Response

    from ..storage.protocol import Reader

#: How many bytes of an unread body are read after an error was sent to a known user.
#: Many clients report a broken connection instead of the error if the server does not
#: read what they send (RFC 9112, section 9.6).
DRAINED: t.Final = 8 * 1024 * 1024

#: The announced size up to which the body of an anonymous client is read after an
#: error. A slow body occupies the worker, and WSGI has no way to stop waiting.
DRAINED_OF_ANONYMOUS: t.Final = 64 * 1024

#: The maximum number of fields of a form. Each costs some microseconds before a view
#: can refuse it, and a page has fewer than a hundred.
MAX_FIELDS: t.Final = 500

_PIECE = 64 * 1024
_BROKEN_OFF = "The body broke off or is malformed; send it again."


def accept_buffered() -> None:
    """Announce a body that the server has received and decoded completely.

    Tornado and Starlette pass such a body on in memory, and asgiref in a temporary
    file. They set neither its length, if the client has sent chunks or uses HTTP/2, nor
    ``wsgi.input_terminated``.
    """
    environ = request.environ
    source = environ.get("wsgi.input")
    if environ.get("CONTENT_LENGTH") or not _is_complete(source):
        return
    size = _size_of(source)
    # An empty one may be the server's way to hide a chunked body.
    if size and "HTTP_TRANSFER_ENCODING" in environ:
        environ["wsgi.input_terminated"] = True
    elif size:
        environ["CONTENT_LENGTH"] = str(size)


def _is_complete(source: t.Any) -> t.TypeGuard[t.BinaryIO]:
    """Return True if a body is a file in which a server has collected it. Any other
    object may stand for a connection."""
    # Only the storage may import "tempfile".
    return isinstance(source, io.BytesIO) or type(source).__module__ == "tempfile"


def _size_of(source: t.BinaryIO) -> int:
    """Return the number of bytes from the current position of a file to its end."""
    position = source.tell()
    source.seek(0, io.SEEK_END)
    end = source.tell()
    source.seek(position)
    return end - position


def check_announcement() -> None:
    """Refuse an invalid ``Content-Length``; Werkzeug would treat it as an empty body.

    :raises SizeInvalid: if ``Content-Length`` is not a whole number.
    """
    announced = request.environ.get("CONTENT_LENGTH") or "0"
    if not (announced.isascii() and announced.isdecimal()):
        raise SizeInvalid(
            "Invalid Content-Length: send the size of the body in bytes, as a number.",
            detail=announced,
        )


def stream() -> Reader:
    """Return the body of the current request as a stream.

    If a hook of the host has read the body, the stream returns the bytes that Werkzeug
    has cached.

    :raises Unsupported: 501, if the WSGI server does not pass on bodies without
        ``Content-Length``. The body would look empty, and an empty blob would be
        stored.
    :raises SizeInvalid: 500, if the host has read bytes that Werkzeug has not cached.
    """
    if _is_hidden():
        raise Unsupported(
            "The WSGI server of this registry does not pass on bodies with"
            " 'Transfer-Encoding: chunked'. Use gunicorn, waitress or Werkzeug, or"
            " put a proxy in front that buffers requests.",
            status=501,
        )
    _check_host_has_not_read()
    cached = _cached()
    return _Received() if cached is None else io.BytesIO(cached)


def form(most: int) -> MultiDict[str, str]:
    """Return the form in the body of the current request.

    :param most: the maximum size of the form in bytes.
    :raises RequestEntityTooLarge: if the form is larger, or has more than
        :data:`MAX_FIELDS` fields.
    :raises ClientDisconnected: if the body breaks off or is malformed.
    """
    own = request.max_content_length
    request.max_content_length = most if own is None else min(own, most)
    request.max_form_parts = MAX_FIELDS
    try:
        # Werkzeug bounds the number of parts of the other type only. It parses the
        # bytes that it has cached here.
        if request.mimetype == "application/x-www-form-urlencoded" and (
            request.get_data(cache=True).count(b"&") >= MAX_FIELDS
        ):
            raise RequestEntityTooLarge
        return request.form
    except HTTPException:
        raise
    except Exception as error:
        # Each server has exceptions of its own for a body that it cannot read.
        raise ClientDisconnected(_BROKEN_OFF) from error


def check_length(received: int) -> None:
    """Compare the received length with ``Content-Length``; not every server does.

    :param received: the number of bytes that were received.
    :raises SizeInvalid: if they differ.
    """
    request_state().received = received
    announced = request.content_length
    if announced is not None and announced != received:
        raise SizeInvalid(
            f"{announced} bytes were announced and {received} arrived; send the rest.",
            detail=str(received),
        )


def has_body() -> bool:
    """Return True if the current request announces a body."""
    return bool(request.content_length) or "HTTP_TRANSFER_ENCODING" in request.environ


def drain_after(response: Response, *, is_anonymous: bool) -> None:
    """Read the rest of the body after the response was sent, up to a limit.

    :param response: the response, which has its ``Content-Length``, so that the client
        does not wait for its end.
    :param is_anonymous: whether the client is unknown. The body is then read only if it
        is announced to be small.
    """
    announced = request.content_length
    if not has_body() or _is_hidden():
        return
    if is_anonymous and (announced is None or announced > DRAINED_OF_ANONYMOUS):
        return
    with suppress(RequestEntityTooLarge):
        response.call_on_close(partial(_drain, _Received()))


def _drain(source: _Received) -> None:
    left = DRAINED
    with suppress(HTTPException, OSError):
        while left > 0 and (piece := source.read(_PIECE)):
            left -= len(piece)


class _Received:
    """The body of the current request, which can be read after its end.

    If a chunk breaks off, Werkzeug's server shortens the buffer that it fills, but
    reports a full buffer. Python's ``read`` would then return bytes from elsewhere in
    the process's memory. A ``memoryview`` cannot be resized, so that the attempt raises
    an error.
    """

    def __init__(self) -> None:
        self._stream: t.Any = request.stream

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, or no bytes at the end."""
        buffer = memoryview(bytearray(size))
        try:
            received = self._stream.readinto(buffer)
        except RequestEntityTooLarge:
            raise
        except Exception as error:
            # Each WSGI server raises exceptions of its own for a body that it cannot
            # read.
            raise ClientDisconnected(_BROKEN_OFF) from error
        return bytes(buffer[:received])


def _cached() -> bytes | None:
    """Return the body if a hook of the host has read it by ``request.get_data`` or
    ``request.get_json``."""
    return t.cast("bytes | None", getattr(request, "_cached_data", None))


def _check_host_has_not_read() -> None:
    """Refuse a body of which a hook of the host has read bytes that are lost.

    :raises SizeInvalid: if the host has read more than Werkzeug has cached.
    """
    position = getattr(request.stream, "tell", int)()
    if position <= len(_cached() or b""):
        return
    advise(
        "A function of the application read the body of %s %s before the registry, so"
        " that its bytes are lost. If it is a before_request function, begin it with:"
        ' if request.blueprint == "%s": return',
        request.method,
        request.path,
        request.blueprint,
    )
    raise SizeInvalid(
        "The application read the body of this request before the registry; its"
        " operator has to change that, and 'flask oci check' shows how.",
        status=500,
    )


def _is_hidden() -> bool:
    return (
        request.content_length is None
        and "HTTP_TRANSFER_ENCODING" in request.environ
        and not request.environ.get("wsgi.input_terminated")
    )
