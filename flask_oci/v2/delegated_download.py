"""Downloads that another program sends: nginx, a server that knows X-Sendfile, or the
object store itself.

The caller has authorized the request. HEAD requests, 304, several ranges, and ranges
outside of the blob are never delegated.
"""

from __future__ import annotations

import ipaddress
import typing as t
from urllib.parse import urlsplit

from flask import current_app
from flask import request

from ..services import services
from ..spec.ranges import Unsatisfiable
from ..storage.place import nginx_name
from .requested_range import requested_spans

if t.TYPE_CHECKING:
    from ..http.responses import Response
    from ..spec.ranges import Span
    from ..storage import Place

#: How long a signed URL is valid, in seconds. A store compares it with its own clock,
#: which may differ, and only at the beginning of a download.
LIFETIME: t.Final = 300

#: The request header by which nginx asks for the bytes themselves, because the store
#: does not send them.
STREAM_HEADER: t.Final = "X-Oci-Downloads"

#: The response header with the range for the store. The registry parses ``Range``,
#: because stores know fewer forms of it.
RANGE_HEADER: t.Final = "X-Oci-Range"


def delegated(response: Response, place: Place, repository: str) -> Response | None:
    """Return a response that leaves the bytes of a blob to another program, or None if
    the application has to send them.

    :param response: the response with the headers of the blob.
    :param repository: the name of the repository.
    """
    # Servers in front answer 416 to each range of an empty file.
    if not place.size:
        return None
    if request.headers.get(STREAM_HEADER) == "stream":
        # A check of the setup looks for it.
        response.headers[STREAM_HEADER] = "stream"
        return None
    if place.is_local:
        return _file(response, place)
    try:
        spans = requested_spans(place.digest, place.size)
    except Unsatisfiable:
        return None
    if spans is not None and len(spans) > 1:
        return None
    if _is_redirected(repository):
        return _redirect(response, place)
    if services().config.accel_redirect is not None:
        return _object(response, place, spans)
    return None


def _file(response: Response, place: Place) -> Response | None:
    storage, prefix = services().storage, services().config.accel_redirect
    if prefix is not None and (path := storage.relative_path(place)):
        response.headers["X-Accel-Redirect"] = f"{prefix}/{path}"
    elif current_app.config.get("USE_X_SENDFILE") and (
        path := storage.absolute_path(place)
    ):
        response.headers["X-Sendfile"] = path
    else:
        return None
    response.headers.pop("Content-Length")
    return response


def _object(
    response: Response, place: Place, spans: list[Span] | None
) -> Response | None:
    """Return a response by which nginx reads the store. The store is named by the
    location of nginx, whose configuration has its address."""
    url = services().storage.sign(place, LIFETIME, is_public=False)
    if url is None:
        return None
    parts, name = urlsplit(url), nginx_name(place.store or "")
    response.headers["X-Accel-Redirect"] = (
        f"{services().config.accel_redirect}/{name}{parts.path}?{parts.query}"
    )
    if spans is not None:
        span = spans[0]
        response.headers[RANGE_HEADER] = f"bytes={span.start}-{span.stop - 1}"
    # nginx would add them to the answer of the store, and to an error.
    for header in (
        "Accept-Ranges",
        "Cache-Control",
        "Content-Disposition",
        "Content-Length",
    ):
        response.headers.pop(header)
    return response


def _redirect(response: Response, place: Place) -> Response | None:
    url = services().storage.sign(place, LIFETIME, is_public=True)
    if url is None:
        return None
    response.status_code = 307
    response.headers["Location"] = url
    # The URL expires, and is for this client.
    response.headers["Cache-Control"] = "no-store"
    for header in ("ETag", "Accept-Ranges", "Content-Type", "Content-Disposition"):
        response.headers.pop(header)
    response.content_length = 0
    return response


def _is_redirected(repository: str) -> bool:
    config = services().config
    # The store does not know the version to which If-Range refers.
    if config.downloads != "redirect" or "If-Range" in request.headers:
        return False
    return not (
        config.redirect_except_repositories.include(repository)
        or _is_in_excepted_network()
    )


def _is_in_excepted_network() -> bool:
    networks = services().config.redirect_except_networks
    if not networks:
        return False
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        # A server on a Unix socket, without ProxyFix, does not know the client.
        return True
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)
