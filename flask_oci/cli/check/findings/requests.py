"""Findings about requests."""

from __future__ import annotations

from ..finding import FindingType

HTML_ERRORS = FindingType(
    "errors-replaced",
    "warning",
    "The registry's errors are replaced by pages.",
    "docker prints the registry's words, such as which layer is missing or how much of"
    " a quota is used, and cannot print a page. Some clients fail where a 404 would"
    " have told them to push.",
    {
        "nginx": "location /v2/ {\n    proxy_intercept_errors off;\n}",
        "apache": "ProxyErrorOverride Off",
        "caddy": "# No handle_errors for /v2/*, and no handle_response",
        "traefik": "# Not: the middleware errors",
        "python": "@app.after_request\ndef decorate(response):\n    if request.blueprint =="
        " registry.blueprint.name:\n        return response\n    ...",
    },
)

METHODS_BLOCKED = FindingType(
    "methods-blocked",
    "error",
    "Requests that change something do not arrive.",
    "docker pushes with POST, PATCH and PUT, and other clients delete with DELETE. A"
    " firewall, or a check for CSRF tokens, is in the way; the registry takes no"
    " cookies, so there is nothing to forge.",
    {
        "python": "@app.before_request\ndef check_csrf():\n    if request.blueprint =="
        " registry.blueprint.name:\n        return None\n    ...",
        "nginx": "# Not: limit_except GET POST { deny all; }",
        "apache": "# Not: <LimitExcept GET POST>, nor the rules of mod_security for /v2/",
        "caddy": "# No matcher method in front of reverse_proxy",
        "traefik": "# No Method() in the rule",
    },
)

PATHS_CHANGED = FindingType(
    "paths-changed",
    "warning",
    "Addresses arrive changed.",
    "Some clients send sha256%3A… for sha256:…, and have to be understood.",
    {
        "nginx": "proxy_pass http://127.0.0.1:8000;  # Without a path behind the port.",
        "apache": 'AllowEncodedSlashes NoDecode\nProxyPass "/v2/"'
        ' "http://127.0.0.1:8000/v2/" nocanon',
    },
)

SLASHES_CHANGED = FindingType(
    "slashes-changed",
    "note",
    "Encoded or double slashes in addresses are answered on the way.",
    "No usual client sends them. One that does hears the proxy's words, or follows a"
    " redirect, in the place of the registry's error.",
    {
        "nginx": "merge_slashes off;",
        "apache": "AllowEncodedSlashes NoDecode\nMergeSlashes Off",
    },
)

BODY_LIMIT = FindingType(
    "body-limit",
    "error",
    "Large bodies are refused before the registry sees them.",
    "A layer is one body, and often has several gigabytes. docker push prints 413, or"
    " tries again for ever. OCI_MAX_BLOB_SIZE is the registry's own limit.",
    {
        "nginx": "client_max_body_size 0;",
        "apache": "LimitRequestBody 0\nSecRequestBodyAccess Off  # With mod_security.",
        "caddy": "# No request_body max_size for /v2/*",
        "traefik": "# Not: the middleware buffering with maxRequestBodyBytes",
        "command": "waitress-serve --max-request-body-size 107374182400 …",
        "python": "@app.before_request\ndef limit_size():\n    if request.blueprint =="
        " registry.blueprint.name:\n        return None\n    ...",
    },
)

HEADER_LIMIT = FindingType(
    "header-limit",
    "warning",
    "Long headers or addresses are refused.",
    "A token that covers several repositories has some kilobytes, and so has the"
    " address by which it is asked for.",
    {
        "nginx": "large_client_header_buffers 4 16k;",
        "apache": "LimitRequestFieldSize 16380\nLimitRequestLine 16380",
        "command": "gunicorn --limit-request-line 8190 --limit-request-field_size 16380 …",
    },
)

RATE_LIMITED = FindingType(
    "rate-limited",
    "error",
    "Requests are limited to fewer than a push needs.",
    "docker sends some ten requests for each layer, several at once: a push of an image"
    " ends with 429, toomanyrequests.",
    {
        "python": 'limiter.exempt(registry.blueprint)\n# Or: limiter.limit("2000 per'
        ' minute")(registry.blueprint)',
    },
)

HTTPS_FORCED = FindingType(
    "https-forced",
    "warning",
    "The application redirects what is not https, and does not know what is.",
    "A proxy that terminates TLS speaks plain HTTP to it. Without ProxyFix, every"
    " request is redirected to where it came from.",
    {
        "python": "from werkzeug.middleware.proxy_fix import ProxyFix\n\napp.wsgi_app ="
        " ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)",
        "nginx": "proxy_set_header X-Forwarded-Proto $scheme;",
    },
)
