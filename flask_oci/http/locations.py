"""Values of ``Location`` headers (RFC 9110, section 10.2.2)."""

from __future__ import annotations

import typing as t

from flask import url_for

from ..auth.client_urls import absolute_url
from ..services import services


def location(endpoint: str, **values: t.Any) -> str:
    """Return the location of an endpoint: a path, or an absolute URL.

    A path is correct behind every proxy, but some clients require an absolute URL.
    """
    parts = services()
    absolute = parts.config.absolute_locations
    if absolute is None:
        absolute = parts.config.external_url is not None
    if absolute:
        return absolute_url(parts.config.external_url, endpoint, **values)
    return url_for(endpoint, **values)
