"""Findings about pulling: content, length, ranges and caches."""

from __future__ import annotations

from ..finding import FindingType

PULL_FAILS = FindingType(
    "pull-fails",
    "error",
    "A layer cannot be pulled.",
    "docker pull fails, or retries until the user stops it.",
    {"nginx": "location /v2/ {\n    proxy_pass http://127.0.0.1:8000;\n}"},
)

COMPRESSED = FindingType(
    "compressed",
    "warning",
    "A proxy or an extension compresses layers.",
    "Layers are already compressed, so this costs time. The length and the digest in"
    " the headers no longer match the body, and docker cannot resume an interrupted"
    " download.",
    {
        "python": (
            'COMPRESS_MIMETYPES = ["text/html", "text/css", "application/javascript"]'
        ),
        "nginx": "location /v2/ {\n    gzip off;\n}",
        "apache": "SetEnvIf Request_URI ^/v2/ no-gzip",
        "caddy": "@pages not path /v2/*\nencode @pages gzip",
        "traefik": "# Not: the middleware compress on the router of /v2/",
    },
)

DAMAGED = FindingType(
    "download-damaged",
    "error",
    "A pulled layer differs from the pushed one.",
    "docker compares the digests and discards the layer.",
    {
        "nginx": "# Not: sub_filter, and no other filter, for /v2/",
        "apache": "# Not: SetOutputFilter for /v2/",
    },
)

LENGTH_LOST = FindingType(
    "length-lost",
    "warning",
    "Responses lack their length.",
    "docker reads the size of a layer from HEAD, and uses Content-Length to detect an"
    " incomplete download.",
    {
        "nginx": "location /v2/ {\n    gzip off;\n}",
        "python": (
            "@app.after_request\n"
            "def decorate(response):\n"
            "    if request.blueprint == registry.blueprint.name:\n"
            "        return response\n"
            "    ..."
        ),
    },
)

RANGES_IGNORED = FindingType(
    "ranges-ignored",
    "warning",
    "Range requests for layers are ignored.",
    "An interrupted download starts again from the beginning, and clients that load"
    " layers lazily download all of them.",
    {
        "nginx": '# Not: proxy_set_header Range "";',
        "apache": "# Not: RequestHeader unset Range, MaxRanges none",
        "traefik": "# Not: the middleware buffering",
    },
)

CACHED = FindingType(
    "private-cached",
    "error",
    "A cache serves private images to anonymous clients.",
    "It stores responses for one user and sends them to other clients without asking"
    " the registry.",
    {
        "nginx": "location /v2/ {\n    proxy_cache off;\n}",
        "apache": 'CacheDisable "/v2/"',
        "caddy": "# No cache for /v2/*",
    },
)

NOT_SENT = FindingType(
    "accel-unhandled",
    "error",
    "The proxy does not send the files that the registry leaves to it.",
    "The response to a pull contains the name of a file and no content. Unset the"
    " setting, or declare the location in the proxy.",
    {
        "nginx": (
            "location /_oci_blobs/ {\n"
            "    internal;\n"
            "    alias /srv/forge/oci/;\n"
            "    add_header Docker-Content-Digest"
            " $upstream_http_docker_content_digest;\n"
            "}"
        ),
        "apache": 'XSendFile On\nXSendFilePath "/srv/forge/oci"',
        "python": "OCI_ACCEL_REDIRECT = None\nUSE_X_SENDFILE = False",
    },
)
