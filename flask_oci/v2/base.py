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

    Docker learns here how to authenticate, so whoever sends no credentials is
    challenged, even where everything is public. Any token will do, also one
    that was made for nobody.

    :raises Unauthorized: when there are no credentials.
    """
    if principal() == ANONYMOUS:
        raise services().authenticator.challenge()
    return as_json({})


def unknown(rest: str) -> Response:
    """Answer, in the registry's language, for every address without a view.

    :raises NameInvalid: when it would be an endpoint but for its name.
    :raises NameUnknown: otherwise.
    """
    for keyword in ("blobs", "manifests", "tags", "referrers"):
        name, found, _ = rest.rpartition(f"/{keyword}/")
        if found and not is_name(name.removesuffix("/blobs")):
            raise NameInvalid(detail=name)
    raise NameUnknown(
        "The registry has no such endpoint; see the OCI distribution specification.",
        detail=request.path,
    )
