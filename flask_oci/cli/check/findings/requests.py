"""Findings about requests that a proxy or a hook answers or changes."""

from __future__ import annotations

from ..finding import FindingType

HTML_ERRORS = FindingType(
    "errors-replaced",
    "warning",
    "HTML pages replace the registry's errors.",
    "docker prints the registry's message, for example which layer is missing or how"
    " much of a quota is used, but it cannot print a page. Some clients do not push if"
    " they do not get the registry's 404.",
    {
        "nginx": "location /v2/ {\n    proxy_intercept_errors off;\n}",
        "apache": "ProxyErrorOverride Off",
        "caddy": "# No handle_errors for /v2/*, and no handle_response",
        "traefik": "# Not: the middleware errors",
        "python": (
            "@app.after_request\n"
            "def decorate(response):\n"
            "    if request.blueprint == registry.blueprint.name:\n"
            "        return response\n"
            "    ..."
        ),
    },
)

METHODS_BLOCKED = FindingType(
    "methods-blocked",
    "error",
    "Requests that change data do not reach the registry.",
    "docker pushes with POST, PATCH and PUT, and other clients delete with DELETE. A"
    " firewall or a CSRF check blocks them. The registry does not use cookies for these"
    " requests, so CSRF is not possible.",
    {
        "python": (
            "@app.before_request\n"
            "def check_csrf():\n"
            "    if request.blueprint == registry.blueprint.name:\n"
            "        return None\n"
            "    ..."
        ),
        "nginx": "# Not: limit_except GET POST { deny all; }",
        "apache": "# Not: <LimitExcept GET POST>, nor rules of mod_security for /v2/",
        "caddy": "# No matcher method in front of reverse_proxy",
        "traefik": "# No Method() in the rule",
    },
)

PATHS_CHANGED = FindingType(
    "paths-changed",
    "warning",
    "A proxy changes the path of requests.",
    "Some clients send sha256%3A… instead of sha256:…, and both must reach the"
    " registry.",
    {
        "nginx": "proxy_pass http://127.0.0.1:8000;  # Without a path after the port.",
        "apache": (
            "AllowEncodedSlashes NoDecode\n"
            'ProxyPass "/v2/" "http://127.0.0.1:8000/v2/" nocanon'
        ),
    },
)

SLASHES_CHANGED = FindingType(
    "slashes-changed",
    "note",
    "A proxy answers requests whose path has encoded or double slashes.",
    "Common clients do not send them. A client that does gets an error or a redirect of"
    " the proxy instead of the registry's error.",
    {
        "nginx": "merge_slashes off;",
        "apache": "AllowEncodedSlashes NoDecode\nMergeSlashes Off",
    },
)

BODY_LIMIT = FindingType(
    "body-limit",
    "error",
    "Large bodies are refused before the registry receives them.",
    "A layer is sent as one body and often has several gigabytes. docker push prints"
    " 413, or retries forever. The registry's own limit is OCI_MAX_BLOB_SIZE.",
    {
        "nginx": "client_max_body_size 0;",
        "apache": "LimitRequestBody 0\nSecRequestBodyAccess Off  # With mod_security.",
        "caddy": "# No request_body max_size for /v2/*",
        "traefik": "# Not: the middleware buffering with maxRequestBodyBytes",
        "command": "waitress-serve --max-request-body-size 107374182400 …",
        "python": (
            "@app.before_request\n"
            "def limit_size():\n"
            "    if request.blueprint == registry.blueprint.name:\n"
            "        return None\n"
            "    ..."
        ),
    },
)

HEADER_LIMIT = FindingType(
    "header-limit",
    "warning",
    "Long headers or URLs are refused.",
    "A token for several repositories has several kilobytes, and so has the URL of the"
    " request for it.",
    {
        "nginx": "large_client_header_buffers 4 16k;",
        "apache": "LimitRequestFieldSize 16380\nLimitRequestLine 16380",
        "command": (
            "gunicorn --limit-request-line 8190 --limit-request-field_size 16380 …"
        ),
    },
)

RATE_LIMITED = FindingType(
    "rate-limited",
    "error",
    "A rate limit allows fewer requests than a push needs.",
    "docker sends about ten requests for each layer, several at once. The push of an"
    " image ends with 429, toomanyrequests.",
    {
        "python": (
            "limiter.exempt(registry.blueprint)\n"
            '# Or: limiter.limit("2000 per minute")(registry.blueprint)'
        ),
    },
)

HTTPS_FORCED = FindingType(
    "https-forced",
    "warning",
    "The application redirects HTTPS requests to HTTPS.",
    "A proxy that terminates TLS sends plain HTTP to the application. Without ProxyFix,"
    " the application redirects every request to the address it came from.",
    {
        "python": (
            "from werkzeug.middleware.proxy_fix import ProxyFix\n\n"
            "app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)"
        ),
        "nginx": "proxy_set_header X-Forwarded-Proto $scheme;",
    },
)
