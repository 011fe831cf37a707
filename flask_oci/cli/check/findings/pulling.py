"""Findings about pulling."""

from __future__ import annotations

from ..finding import FindingType

PULL_FAILS = FindingType(
    "pull-fails",
    "error",
    "A layer cannot be pulled.",
    "docker pull fails, or tries again until somebody ends it.",
    {
        "nginx": "location /v2/ {\n    proxy_pass http://127.0.0.1:8000;\n}",
    },
)

COMPRESSED = FindingType(
    "compressed",
    "warning",
    "Layers are compressed on the way.",
    "They are compressed already: it takes time, and the length and the digest that"
    " docker is told are no longer those of what it gets. It cannot go on with a"
    " download that broke off.",
    {
        "python": 'COMPRESS_MIMETYPES = ["text/html", "text/css", "application/javascript"]',
        "nginx": "location /v2/ {\n    gzip off;\n}",
        "apache": "SetEnvIf Request_URI ^/v2/ no-gzip",
        "caddy": "@pages not path /v2/*\nencode @pages gzip",
        "traefik": "# Not: the middleware compress on the router of /v2/",
    },
)

DAMAGED = FindingType(
    "download-damaged",
    "error",
    "What is pulled is not what was pushed.",
    "docker compares digests, and throws the layer away.",
    {
        "nginx": "# Not: sub_filter, and no other filter, for /v2/",
        "apache": "# Not: SetOutputFilter for /v2/",
    },
)

LENGTH_LOST = FindingType(
    "length-lost",
    "warning",
    "Answers do not say how long they are.",
    "HEAD tells docker how large a layer is, and Content-Length whether it got all of"
    " it.",
    {
        "nginx": "location /v2/ {\n    gzip off;\n}",
        "python": "@app.after_request\ndef decorate(response):\n    if request.blueprint =="
        " registry.blueprint.name:\n        return response\n    ...",
    },
)

RANGES_IGNORED = FindingType(
    "ranges-ignored",
    "warning",
    "Parts of a layer cannot be asked for.",
    "A download that broke off begins anew, and clients that fetch lazily fetch it"
    " all.",
    {
        "nginx": '# Not: proxy_set_header Range "";',
        "apache": "# Not: RequestHeader unset Range, MaxRanges none",
        "traefik": "# Not: the middleware buffering",
    },
)

CACHED = FindingType(
    "private-cached",
    "error",
    "Something on the way hands out private images to everybody.",
    "It keeps answers that were for one user, and gives them to the next who asks,"
    " without asking the registry.",
    {
        "nginx": "location /v2/ {\n    proxy_cache off;\n}",
        "apache": 'CacheDisable "/v2/"',
        "caddy": "# No cache for /v2/*",
    },
)

UNSENT = FindingType(
    "accel-unhandled",
    "error",
    "Nobody sends the files that the registry leaves to the proxy.",
    "Pulls are answered with nothing but the name of a file. Take the setting back, or"
    " declare the location.",
    {
        "nginx": "location /_oci_blobs/ {\n    internal;\n    alias /srv/forge/oci/;\n"
        "    add_header Docker-Content-Digest $upstream_http_docker_content_digest;\n}",
        "apache": 'XSendFile On\nXSendFilePath "/srv/forge/oci"',
        "python": "OCI_ACCEL_REDIRECT = None\nUSE_X_SENDFILE = False",
    },
)
