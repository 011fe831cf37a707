"""Responses with content: headers, conditional requests and ranges (RFC 9110)."""

from __future__ import annotations

import secrets
import typing as t

from flask import current_app
from flask import request
from werkzeug.datastructures import Headers

from ..errors import BlobUnknown
from ..http.responses import Response
from ..services import services
from ..spec.digest import Digest
from ..spec.ranges import Span
from ..spec.ranges import Unsatisfiable
from ..storage.protocol import BLOB_DISPOSITION
from ..storage.protocol import BLOB_TYPE
from ..storage.protocol import PIECE
from .delegated_download import delegated
from .delegated_download import IMMUTABLE
from .delegated_download import is_streamed_for_nginx
from .delegated_download import STREAM_HEADER
from .requested_range import requested_spans

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator

    from ..catalog import StoredManifest
    from ..storage import Place

    class Closable(t.Protocol):
        """Something to close after the response."""

        def close(self) -> None: ...

    #: Opens the bytes from a start to a stop.
    OpenStream = Callable[[int, int], tuple[Iterator[bytes], Closable]]

#: For content that is named by a tag.
REVALIDATED: t.Final = "private, no-cache, no-transform"

_SMALL_PIECE = 64 * 1024


def manifest(stored: StoredManifest, *, immutable: bool) -> Response:
    """Return a response with a manifest.

    :param immutable: True if the client asked for it by its digest.
    """
    response = _content(
        stored.digest, stored.media_type, IMMUTABLE if immutable else REVALIDATED
    )
    if _is_known_to_client(stored.digest):
        return _not_modified(response)
    if stored.content is not None:
        response.set_data(stored.content)
    else:
        response.content_length = stored.size
    return response


def blob(place: Place, repository: str) -> Response:
    """Return a response with a blob, or with the requested ranges of it.

    :param repository: the name of the repository.
    """
    is_get = request.method != "HEAD" and not _is_known_to_client(str(place.digest))
    if is_get and (response := delegated(place, repository)) is not None:
        return response
    response = blob_head(place.digest, place.size)
    if is_streamed_for_nginx():
        # A check of the setup looks for it.
        response.headers[STREAM_HEADER] = "stream"
    return _streamed(response, place) if is_get else response


def blob_head(digest: Digest, size: int) -> Response:
    """Return the response to a ``HEAD`` for a blob, or to a client that has the blob.

    :param size: the size of the blob in bytes.
    """
    response = _content(str(digest), BLOB_TYPE, IMMUTABLE)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Disposition"] = BLOB_DISPOSITION
    if _is_known_to_client(str(digest)):
        return _not_modified(response)
    response.content_length = size
    return response


def fetched_blob(digest: Digest, size: int, stream: OpenStream) -> Response:
    """Return a response with a blob, or one range of it, that arrives from an upstream.

    A client that asks for several ranges gets the whole blob (RFC 9110, section 14.2).

    :param size: the size of the blob in bytes.
    :param stream: opens a span of the blob.
    """
    response = blob_head(digest, size)
    if response.status_code == 304:
        return response
    try:
        spans = requested_spans(digest, size)
    except Unsatisfiable:
        return _unsatisfiable(response, size)
    span = Span(0, size)
    if spans is not None and len(spans) == 1:
        span = spans[0]
        response.status_code = 206
        response.headers["Content-Range"] = _content_range(span, size)
    response.response, opened = stream(span.start, span.stop)
    response.content_length = span.length
    response.call_on_close(opened.close)
    response.direct_passthrough = True
    return response


def _content(digest: str, media_type: str, caching: str) -> Response:
    return Response(
        # Setting one header at a time would compare it with all others.
        headers=Headers(
            [
                ("Content-Type", media_type),
                ("Docker-Content-Digest", digest),
                ("Cache-Control", caching),
                ("Vary", "Authorization"),
                ("ETag", f'"{digest}"'),
            ]
        )
    )


def _is_known_to_client(digest: str) -> bool:
    return request.if_none_match.contains_weak(digest)


def _not_modified(response: Response) -> Response:
    response.status_code = 304
    # A 304 has no content, and therefore no headers about content.
    for header in ("Content-Type", "Content-Length", "Content-Disposition"):
        response.headers.pop(header, None)
    return response


def _streamed(response: Response, place: Place) -> Response:
    size = place.size
    try:
        spans = requested_spans(place.digest, size)
    except Unsatisfiable:
        return _unsatisfiable(response, size)
    if spans is None:
        return _single(response, place, Span(0, size))
    response.status_code = 206
    if len(spans) == 1:
        response.headers["Content-Range"] = _content_range(spans[0], size)
        return _single(response, place, spans[0])
    return _multipart(response, place, spans)


def _unsatisfiable(response: Response, size: int) -> Response:
    response.status_code = 416
    response.headers["Content-Range"] = f"bytes */{size}"
    response.headers["Content-Type"] = "application/json"
    response.headers.pop("Content-Disposition")
    response.headers.pop("ETag")
    response.headers["Cache-Control"] = "no-store"
    response.set_data(
        '{"errors": [{"code": "SIZE_INVALID", "message": "The requested range'
        f' is outside of the blob, which has {size} bytes."}}]}}'
    )
    return response


def _single(response: Response, place: Place, span: Span) -> Response:
    """Return a response with one span. A WSGI server that sends files itself uses the
    file's position and Content-Length (PEP 3333)."""
    file = _open(place, span)
    response.content_length = span.length
    wrapper = request.environ.get("wsgi.file_wrapper") if place.is_local else None
    response.response = wrapper(file, PIECE) if wrapper else _pieces(file, span.length)
    response.call_on_close(file.close)
    response.direct_passthrough = True
    return response


def _open(place: Place, span: Span | None = None) -> t.BinaryIO:
    try:
        if span is None:
            return services().storage.open(place)
        return services().storage.open(place, span.start, span.stop)
    except FileNotFoundError:
        # An open transaction may not see what a migration has committed.
        services().catalog.release()
        moved = services().catalog.blob_places.find(place.digest)
        services().catalog.release()
        if moved is not None and moved != place:
            # This process was stopped, and a migration has moved the blob since.
            return _open(moved, span)
        if not place.is_local:
            current_app.logger.error(
                "The object %s of the blob %s is lost. Push the blob again, or run"
                " 'flask oci fsck'.",
                place.location,
                place.digest,
            )
        # Garbage collection has just deleted it, because nothing in the repository
        # needed it.
        raise BlobUnknown(detail=str(place.digest)) from None


def _pieces(file: t.BinaryIO, length: int) -> Iterator[bytes]:
    with file:
        while length > 0 and (piece := file.read(min(length, _SMALL_PIECE))):
            length -= len(piece)
            yield piece


def _multipart(response: Response, place: Place, spans: list[Span]) -> Response:
    """Return a response with several spans (RFC 9110, section 14.6), which lazy-pulling
    clients request."""
    boundary = secrets.token_hex(16)
    heads = [
        (
            f"\r\n--{boundary}\r\nContent-Type: {BLOB_TYPE}\r\n"
            f"Content-Range: {_content_range(span, place.size)}\r\n\r\n"
        ).encode()
        for span in spans
    ]
    tail = f"\r\n--{boundary}--\r\n".encode()
    response.headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    response.content_length = (
        sum(map(len, heads)) + sum(span.length for span in spans) + len(tail)
    )
    file = _open(place)
    parts = zip(heads, spans, strict=True)
    response.response = _parts(file, parts, tail)
    response.call_on_close(file.close)
    return response


def _parts(
    file: t.BinaryIO, parts: Iterable[tuple[bytes, Span]], tail: bytes
) -> Iterator[bytes]:
    for head, span in parts:
        yield head
        position, left = span.start, span.length
        while left > 0:
            file.seek(position)
            piece = file.read(min(left, _SMALL_PIECE))
            if not piece:
                raise OSError("The blob became shorter while it was sent.")
            position, left = position + len(piece), left - len(piece)
            yield piece
    yield tail


def _content_range(span: Span, size: int) -> str:
    return f"bytes {span.start}-{span.stop - 1}/{size}"
