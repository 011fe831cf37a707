"""The check behind misconfigured proxies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.forge import Forge
from tests.support.forge import free_port

from .asking import check
from .asking import left_behind
from .conftest import Authority
from .servers import Certificate
from .servers import Edit
from .servers import nginx
from .servers import PROXIES

pytestmark = pytest.mark.real


def without(line: str) -> Edit:
    """Remove a line from a configuration, everywhere."""

    def edit(text: str) -> str:
        assert line in text
        return "".join(part for part in text.splitlines(True) if line not in part)

    return edit


def instead(old: str, new: str) -> Edit:
    """Replace a line of a configuration."""

    def edit(text: str) -> str:
        assert re.search(old, text), old
        return re.sub(old, new, text)

    return edit


def both(*edits: Edit) -> Edit:
    """Apply two changes."""

    def edit(text: str) -> str:
        for one in edits:
            text = one(text)
        return text

    return edit


def inside(lines: str) -> Edit:
    """Add lines to nginx's location of the registry."""
    return instead(r"location /v2/ \{", f"location /v2/ {{ {lines}")


def before(lines: str) -> Edit:
    """Add lines to nginx's server, before its locations."""
    return instead(r"location /v2/ \{", f"{lines} location /v2/ {{")


def apache_with(lines: str) -> Edit:
    """Add lines to Apache's virtual host."""
    return instead("ProxyTimeout 900\n", f"ProxyTimeout 900\n{lines}\n")


def caddy_with(lines: str) -> Edit:
    """Add lines to Caddy's site."""
    return instead("    reverse_proxy", f"    {lines}\n    reverse_proxy")


def traefik_with(middleware: str) -> Edit:
    """Add a middleware to Traefik's router."""

    def edit(text: str) -> str:
        router = "      service: forge\n"
        assert router in text
        text = text.replace(router, f"{router}      middlewares: [added]\n", 1)
        added = f"  middlewares:\n    added:\n      {middleware}\n"
        return text.replace("http:\n", f"http:\n{added}", 1)

    return edit


#: A user of the proxy's basic authentication.
BASIC = 'basicAuth: {users: ["staging:$apr1$x$S5mVoE3oS1x1y9gDoP1Pc1"]}'

CACHE = (
    "proxy_cache cache; proxy_cache_valid 200 1m;"
    " proxy_ignore_headers Cache-Control Vary;"
)

BUFFERING = "buffering: {memRequestBodyBytes: 1048576}"

NO_COLONS = 'if ($request_uri ~ "blobs/sha256%3A") { return 404; }'
NO_SLASHES = 'if ($request_uri ~ "^/v2/[^?]*%2F") { return 404; }'

#: The check's invented ids have other digits.
NO_SESSIONS = 'location ~ "/uploads/[0-9a-f-]*[1-35-79a-f]" { return 504; }'
NO_BLOBS = "location ~ /blobs/sha256:[0-9a-f]*[1-9a-f] { return 403; }"

#: Changes of a configuration, and the findings of the check.
CASES: list[tuple[str, str, Edit]] = [
    ("nginx", "body-limit", without("client_max_body_size")),
    ("nginx", "uploads-buffered", without("proxy_request_buffering")),
    ("nginx", "uploads-buffered", without("proxy_http_version")),
    ("nginx", "realm-wrong", without("Host $http_host")),
    ("nginx", "realm-wrong", without("X-Forwarded-Proto")),
    ("nginx", "realm-wrong", instead(r"\$http_host", "$host")),
    ("nginx", "authorization-stripped", inside('proxy_set_header Authorization "";')),
    ("nginx", "challenge-missing", inside("proxy_hide_header WWW-Authenticate;")),
    ("nginx", "headers-stripped", inside("proxy_hide_header Docker-Content-Digest;")),
    (
        "nginx",
        "headers-stripped",
        inside("proxy_hide_header Docker-Distribution-Api-Version;"),
    ),
    (
        "nginx",
        "errors-replaced",
        inside("proxy_intercept_errors on; error_page 404 /oh-no.html;"),
    ),
    ("nginx", "methods-blocked", inside("limit_except GET POST { deny all; }")),
    ("nginx", "not-at-root", inside("return 404;")),
    ("nginx", "redirected", inside("return 302 /login;")),
    ("nginx", "registry-fails", inside("return 502;")),
    (
        "nginx",
        "compressed",
        inside("gzip on; gzip_types *; gzip_proxied any; gzip_min_length 1;"),
    ),
    (
        "nginx",
        "private-cached",
        both(without("proxy_buffering off"), inside(CACHE)),
    ),
    ("nginx", "ranges-ignored", inside('proxy_set_header Range "";')),
    (
        "nginx",
        "paths-changed",
        inside('if ($request_uri ~ "blobs/sha256%3A") { return 404; }'),
    ),
    ("nginx", "slashes-changed", inside(NO_SLASHES)),
    ("nginx", "header-limit", before("large_client_header_buffers 4 2k;")),
    (
        "nginx",
        "location-wrong",
        inside("proxy_redirect ~^/ https://backend.example.org/;"),
    ),
    ("nginx", "expect-refused", inside("if ($http_expect) { return 417; }")),
    (
        "nginx",
        "chunked-refused",
        inside("if ($http_transfer_encoding) { return 411; }"),
    ),
    ("nginx", "push-fails", before(NO_SESSIONS)),
    (
        "nginx",
        "pull-fails",
        before("location ~ /blobs/sha256:(?!00000000) { return 403; }"),
    ),
    ("apache", "uploads-buffered", instead("sendchunked", "sendcl")),
    ("apache", "slashes-changed", without("AllowEncodedSlashes")),
    ("apache", "realm-wrong", without("X-Forwarded-Proto")),
    (
        "apache",
        "authorization-stripped",
        instead(
            "ProxyTimeout 900",
            "ProxyTimeout 900\n    RequestHeader unset Authorization",
        ),
    ),
    ("apache", "errors-replaced", apache_with("ProxyErrorOverride On")),
    (
        "apache",
        "download-damaged",
        apache_with(
            "AddOutputFilterByType SUBSTITUTE application/octet-stream\n"
            "    SubstituteMaxLineLength 64m\n    Substitute s/a/bb/",
        ),
    ),
    (
        "caddy",
        "body-limit",
        instead(
            "    reverse_proxy",
            "    request_body {\n        max_size 1MB\n    }\n    reverse_proxy",
        ),
    ),
    (
        "caddy",
        "challenge-missing",
        instead("    reverse_proxy", "    header -WWW-Authenticate\n    reverse_proxy"),
    ),
    (
        "traefik",
        "uploads-buffered",
        traefik_with("buffering: {memRequestBodyBytes: 9}"),
    ),
    (
        "traefik",
        "body-limit",
        traefik_with("buffering: {maxRequestBodyBytes: 1048576}"),
    ),
    ("traefik", "challenge-missing", traefik_with(BASIC)),
]


@pytest.mark.parametrize(
    ("proxy", "code", "edit"), CASES, ids=[f"{p}-{c}" for p, c, _ in CASES]
)
def test_check_behind_a_misconfigured_proxy_finds_it(
    proxy: str,
    code: str,
    edit: Edit,
    forge: Forge,
    certificate: Certificate,
    tmp_path: Path,
) -> None:
    """The finding is at the address, and the application has none."""
    with PROXIES[proxy](tmp_path, forge.host, certificate, edit) as url:
        found = check(forge, url, "--cafile", str(certificate.authority))
    assert code in found, found
    assert {finding["url"] for finding in found.values()} == {url}
    assert found[code]["remedies"]
    assert left_behind(forge) == []


@pytest.mark.parametrize(
    ("code", "edit", "host", "days"),
    [
        ("certificate-name", str, "elsewhere.example.org", 90),
        ("certificate-expired", str, "localhost", -1),
        ("certificate-ends-soon", str, "localhost", 5),
        ("certificate-untrusted", instead("-chain.pem", ".pem"), "localhost", 90),
    ],
)
def test_check_with_a_bad_certificate_finds_it(
    code: str,
    edit: Edit,
    host: str,
    days: int,
    forge: Forge,
    authority: Authority,
    tmp_path: Path,
) -> None:
    """Docker rejects it, or will soon."""
    certificate = authority.sign(host, days)
    with nginx(tmp_path, forge.host, certificate, edit) as url:
        found = check(forge, url, "--cafile", str(authority.root))
    assert set(found) == {code}


def test_check_without_cafile_uses_the_authorities_of_the_system(
    forge: Forge, certificate: Certificate, tmp_path: Path
) -> None:
    """Docker does the same."""
    with nginx(tmp_path, forge.host, certificate) as url:
        assert set(check(forge, url)) == {"certificate-untrusted"}


def test_check_of_an_unreachable_address_finds_only_that(forge: Forge) -> None:
    """No other check is possible."""
    found = check(forge, f"https://localhost:{free_port()}")
    assert set(found) == {"unreachable"}
