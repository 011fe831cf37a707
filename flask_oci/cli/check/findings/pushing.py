"""Findings about pushing: chunked bodies, buffering and redirects."""

from __future__ import annotations

from ..finding import FindingType

_GUNICORN = "gunicorn --worker-class gthread --threads 8 'forge:create_app()'"

PUSH_FAILS = FindingType(
    "push-fails",
    "error",
    "A layer cannot be pushed.",
    "docker push fails, or retries until the user stops it.",
    {
        "nginx": (
            "location /v2/ {\n"
            "    proxy_pass http://127.0.0.1:8000;\n"
            "    proxy_read_timeout 900s;\n"
            "    proxy_send_timeout 900s;\n"
            "}"
        ),
    },
)

PUSH_REFUSED = FindingType(
    "push-refused",
    "warning",
    "The registry does not allow this user to push a layer.",
    "docker push prints the reason and ends. The usual causes are a quota that is used"
    " up and a rule of the application.",
    {"command": "flask oci quota show --owner alice\nflask oci who-can alice/app"},
)

CHUNKED_REFUSED = FindingType(
    "chunked-refused",
    "error",
    "Bodies without Content-Length are refused or lost.",
    "docker sends each layer with Transfer-Encoding: chunked, and the WSGI server and"
    " every proxy must pass it on. uWSGI does not, and nginx sends HTTP/1.0 to the"
    " application by default.",
    {
        "nginx": "proxy_http_version 1.1;\nproxy_request_buffering off;",
        "apache": (
            "SetEnv proxy-sendchunked\n"
            "WSGIChunkedRequest On  # With mod_wsgi, instead of a proxy."
        ),
        "command": _GUNICORN,
    },
)

CONTENT_CHANGED = FindingType(
    "content-changed",
    "error",
    "The registry does not receive the bytes that were sent.",
    "A layer is verified by its digest, so one changed byte makes the push fail. A hook"
    " of the application or a proxy reads the body, or part of it, before the registry"
    " does.",
    {
        "python": (
            "@app.before_request\n"
            "def read_form():\n"
            "    if request.blueprint == registry.blueprint.name:\n"
            "        return None\n"
            "    ..."
        ),
    },
)

BODIES_IN_MEMORY = FindingType(
    "bodies-in-memory",
    "warning",
    "A hook of the application reads whole layers into memory.",
    "A layer often has several gigabytes, and docker pushes several at once. The"
    " application then needs as much memory, and its server may be killed.",
    {
        "python": (
            "@app.before_request\n"
            "def log_body():\n"
            "    if request.blueprint == registry.blueprint.name:\n"
            "        return None\n"
            "    ..."
        ),
    },
)

BUFFERED = FindingType(
    "uploads-buffered",
    "warning",
    "A proxy or the server buffers uploads until they are complete.",
    "Each layer is written twice and may not fit on the proxy's disk. docker waits at"
    " the end while the registry reads the whole layer, and an interrupted upload"
    " cannot be resumed. Waitress always buffers.",
    {
        "nginx": "proxy_request_buffering off;\nproxy_http_version 1.1;",
        "apache": "SetEnv proxy-sendchunked",
        "traefik": "# Not: the middleware buffering",
        "caddy": "# No request_buffers in reverse_proxy",
        "command": f"{_GUNICORN}  # Not waitress-serve.",
    },
)

EXPECT_REFUSED = FindingType(
    "expect-refused",
    "warning",
    "The header Expect: 100-continue is refused.",
    "With it, a client whose push is denied learns so before it sends the layer.",
    {"command": _GUNICORN},
)

LOCATION_WRONG = FindingType(
    "location-wrong",
    "error",
    "The Location header names another address.",
    "After POST, docker sends the layer to the address in Location. The registry writes"
    " a path, or the address in OCI_EXTERNAL_URL if it is set, and a proxy may change"
    " it.",
    {
        "nginx": "proxy_redirect off;",
        "apache": (
            "# ProxyPassReverse with exactly the address of ProxyPass, or without it"
        ),
    },
)
