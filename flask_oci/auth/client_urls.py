"""Absolute URLs of the registry, as clients have to use them."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from flask import request
from flask import url_for

from ..events.warn_once import advise

#: The warning in the log if clients are about to be sent to the wrong host.
UNKNOWN_PROXY: t.Final = (
    "A proxy reports the host %s, but the application uses %s and sends clients there"
    " to log in. If the proxy is yours, trust its headers: app.wsgi_app ="
    " ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1). Or set"
    " OCI_EXTERNAL_URL."
)


def absolute_url(external_url: str | None, endpoint: str, **values: t.Any) -> str:
    """Return the URL of an endpoint, with scheme and host.

    :param external_url: the URL of the application's root for clients. None takes
        scheme and host from the request.
    :param values: the variables of the endpoint's rule.
    """
    if external_url:
        path = url_for(endpoint, **values)
        if request.script_root and external_url.endswith(request.script_root):
            # Both have the prefix of the application.
            path = path.removeprefix(request.script_root)
        return external_url + path
    # A client that uses https must not be sent to an address without TLS, where it
    # would send the password in plain text.
    is_https = request.headers.get("X-Forwarded-Proto") == "https"
    hosts = request.headers.get("X-Forwarded-Host", request.host)
    if request.host not in hosts.replace(" ", "").split(","):
        advise(UNKNOWN_PROXY, hosts, request.host)
    scheme = "https" if is_https else request.scheme
    url = url_for(endpoint, _external=True, _scheme=scheme, **values)
    return quote(url, safe="/:?&=@[]%")
