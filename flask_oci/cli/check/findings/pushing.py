"""Findings about pushing."""

from __future__ import annotations

from ..finding import FindingType

PUSH_FAILS = FindingType(
    "push-fails",
    "error",
    "A layer cannot be pushed.",
    "docker push fails, or tries again until somebody ends it.",
    {
        "nginx": "location /v2/ {\n    proxy_pass http://127.0.0.1:8000;\n"
        "    proxy_read_timeout 900s;\n    proxy_send_timeout 900s;\n}",
    },
)

PUSH_REFUSED = FindingType(
    "push-refused",
    "warning",
    "The registry lets this user push no layer.",
    "docker push prints the reason and ends. Most likely a quota is full, or a rule of"
    " the application's forbids it.",
    {
        "command": "flask oci quota show --owner alice\nflask oci who-can alice/app",
    },
)

CHUNKED_REFUSED = FindingType(
    "chunked-refused",
    "error",
    "Bodies without an announced length are refused or lost.",
    "docker sends each layer with Transfer-Encoding: chunked. The WSGI server, or a"
    " proxy, has to pass that on; uWSGI does not, and nginx speaks HTTP/1.0 to the"
    " application by default.",
    {
        "nginx": "proxy_http_version 1.1;\nproxy_request_buffering off;",
        "apache": "SetEnv proxy-sendchunked",
        "command": "gunicorn --worker-class gthread --threads 8 'forge:create_app()'",
    },
)

CONTENT_CHANGED = FindingType(
    "content-changed",
    "error",
    "What arrives is not what was sent.",
    "A layer is known by its digest, so a single byte makes the push fail. Something"
    " reads the body, or part of it, before the registry does.",
    {
        "python": "@app.before_request\ndef read_form():\n    if request.blueprint =="
        " registry.blueprint.name:\n        return None\n    ...",
    },
)

BUFFERED = FindingType(
    "uploads-buffered",
    "warning",
    "Uploads are collected on the way, and arrive when they are whole.",
    "A layer is written twice, the proxy's disk may be too small for it, docker waits"
    " at its end while the registry reads it all, and an upload that breaks off cannot"
    " go on from where it was. Waitress does that by design.",
    {
        "nginx": "proxy_request_buffering off;\nproxy_http_version 1.1;",
        "apache": "SetEnv proxy-sendchunked",
        "traefik": "# Not: the middleware buffering",
        "caddy": "# No request_buffers in reverse_proxy",
        "command": "gunicorn --worker-class gthread --threads 8 'forge:create_app()'  # Not"
        " waitress-serve.",
    },
)

EXPECT_REFUSED = FindingType(
    "expect-refused",
    "warning",
    "Clients may not ask before they send a body.",
    "With Expect: 100-continue, a client that is refused need not send its layer"
    " first.",
    {
        "command": "gunicorn --worker-class gthread --threads 8 'forge:create_app()'",
    },
)

LOCATION_WRONG = FindingType(
    "location-wrong",
    "error",
    "The registry's redirections lead elsewhere.",
    "After POST, docker sends the layer to where Location says. The registry writes a"
    " path without a host, which something on the way has changed.",
    {
        "nginx": "proxy_redirect off;",
        "apache": "# ProxyPassReverse with the very address of ProxyPass, or without it",
    },
)
