"""Determining support (spec.md, "Determining Support")."""

from __future__ import annotations

from flask import request

from ..auth.principal import ANONYMOUS
from ..errors import NameInvalid
from ..errors import NameUnknown
from ..http.responses import as_json
from ..http.responses import Response
from ..services import principal
from ..services import services
from ..spec.reference import is_name


def support() -> Response:
    """end-1: ``GET /v2/``, 200 or 401.

    Docker learns here how to authenticate. A request without credentials is therefore
    challenged, even if all repositories are public. Any token is accepted, including
    one that was issued to an anonymous client. A mirror challenges no client.

    :raises Unauthorized: if the request has no credentials.
    """
    # The principal of a mirror's client differs.
    if principal() == ANONYMOUS:
        raise services().challenges.new()
    return as_json({})


def unknown(rest: str) -> Response:
    """Return a JSON error for every address without a view.

    :raises NameInvalid: if the address is an endpoint with an invalid repository name.
    :raises NameUnknown: for any other address.
    """
    for keyword in ("blobs", "manifests", "tags", "referrers"):
        name, found, _ = rest.rpartition(f"/{keyword}/")
        if found and not is_name(name.removesuffix("/blobs")):
            raise NameInvalid(detail=name)
    raise NameUnknown(
        "The registry has no such endpoint; see the OCI distribution specification.",
        detail=request.path,
    )
