"""Downloads that another program sends: nginx, a server that knows X-Sendfile, or the
object store itself.

The caller has authorized the request. HEAD requests, 304, several ranges, and ranges
outside of the blob are never delegated.
"""

from __future__ import annotations

import ipaddress
import typing as t

from flask import current_app
from flask import request
from werkzeug.datastructures import Headers

from ..http.responses import Response
from ..services import services
from ..spec.ranges import Unsatisfiable
from ..storage.place import nginx_name
from ..storage.protocol import BLOB_DISPOSITION
from ..storage.protocol import BLOB_TYPE
from .requested_range import requested_spans

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..config import Config
    from ..config.parsers import Network
    from ..services import Services
    from ..spec.ranges import Span
    from ..storage import Place
    from ..storage import Storage

#: For content that is named by its digest. "no-transform" keeps proxies from
#: compressing it, which would change the bytes that the client hashes.
IMMUTABLE: t.Final = "private, max-age=31536000, immutable, no-transform"

#: How long a signed URL is valid, in seconds. A store compares it with its own clock,
#: which may differ, and only at the beginning of a download.
LIFETIME: t.Final = 300

#: The request header by which nginx asks for the bytes themselves, because the store
#: does not send them.
STREAM_HEADER: t.Final = "X-Oci-Downloads"

#: The response header with the range for the store. The registry parses ``Range``,
#: because stores know fewer forms of it.
RANGE_HEADER: t.Final = "X-Oci-Range"


def delegated(place: Place, repository: str) -> Response | None:
    """Return a response that leaves the bytes of a blob to another program, or None if
    the application has to send them.

    :param repository: the name of the repository.
    """
    # Servers in front answer 416 to each range of an empty file.
    if not place.size or is_streamed_for_nginx():
        return None
    parts = services()
    if place.is_local:
        return _file(parts, place)
    try:
        spans = requested_spans(place.digest, place.size)
    except Unsatisfiable:
        return None
    if spans is not None and len(spans) > 1:
        return None
    if _is_redirected(parts.config, repository):
        return _redirect(parts.storage, place)
    if parts.config.accel_redirect is not None:
        span = None if spans is None else spans[0]
        return _object(parts.storage, parts.config.accel_redirect, place, span)
    return None


def is_streamed_for_nginx() -> bool:
    """Return True if nginx asks for the bytes, because the store does not send them."""
    return request.headers.get(STREAM_HEADER) == "stream"


def _file(parts: Services, place: Place) -> Response | None:
    prefix = parts.config.accel_redirect
    if prefix is not None and (path := parts.storage.relative_path(place)):
        header = ("X-Accel-Redirect", f"{prefix}/{path}")
    elif current_app.config.get("USE_X_SENDFILE") and (
        path := parts.storage.absolute_path(place)
    ):
        header = ("X-Sendfile", path)
    else:
        return None
    return _response(
        place,
        ("Content-Type", BLOB_TYPE),
        ("Content-Disposition", BLOB_DISPOSITION),
        ("Cache-Control", IMMUTABLE),
        ("Accept-Ranges", "bytes"),
        ("ETag", f'"{place.digest}"'),
        header,
    )


def _object(
    storage: Storage, prefix: str, place: Place, span: Span | None
) -> Response | None:
    """Return a response by which nginx reads the store. The store is named by the
    location of nginx, whose configuration has its address.

    nginx would add Cache-Control and the like to the answer of the store, and to an
    error.
    """
    url = storage.sign(place, LIFETIME, is_public=False)
    if url is None:
        return None
    # The host before the third slash is in the configuration of nginx only.
    path = url.split("/", 3)[3]
    response = _response(
        place,
        ("Content-Type", BLOB_TYPE),
        ("ETag", f'"{place.digest}"'),
        ("X-Accel-Redirect", f"{prefix}/{nginx_name(place.store or '')}/{path}"),
    )
    if span is not None:
        response.headers[RANGE_HEADER] = f"bytes={span.start}-{span.stop - 1}"
    return response


def _redirect(storage: Storage, place: Place) -> Response | None:
    url = storage.sign(place, LIFETIME, is_public=True)
    if url is None:
        return None
    # The URL expires, and is for this client.
    response = _response(place, ("Location", url), ("Cache-Control", "no-store"))
    response.status_code = 307
    response.content_length = 0
    return response


def _response(place: Place, *headers: tuple[str, str]) -> Response:
    """Return a response without content. Setting one header at a time would compare it
    with all others."""
    common = [("Docker-Content-Digest", str(place.digest)), ("Vary", "Authorization")]
    return Response(headers=Headers([*common, *headers]))


def _is_redirected(config: Config, repository: str) -> bool:
    # The store does not know the version to which If-Range refers.
    if config.downloads != "redirect" or "If-Range" in request.headers:
        return False
    return not (
        config.redirect_except_repositories.include(repository)
        or _is_in(config.redirect_except_networks)
    )


def _is_in(networks: Sequence[Network]) -> bool:
    """Return True if the client may be in one of these networks."""
    if not networks:
        return False
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        # A server on a Unix socket, without ProxyFix, does not know the client.
        return True
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)
