"""Hostile text, and the requirements on every answer to it."""

from __future__ import annotations

import typing as t

from werkzeug.test import TestResponse

from flask_oci.testing.answers import errors
from tests.support.registry_client import RegistryClient

INJECTION = "x\r\nX-Injected: yes\r\n\r\nbody"

#: Text that could become a path, a second header line or an error.
HOSTILE = {
    "parent": "..",
    "traversal": "../../../../etc/passwd",
    "traversal inside": "a/../../b",
    "absolute": "/etc/passwd",
    "current": "./a",
    "encoded": "%2e%2e%2fetc",
    "encoded twice": "%252e%252e%252fetc",
    "encoded overlong": "%c0%ae%c0%ae%c0%af",
    "backslashes": "..\\..\\windows",
    "nul": "a\0b",
    "line feed": "a\nb",
    "trailing line feed": "a\n",
    "injection": INJECTION,
    "control": "a\x01\x1b[31m\x7f",
    "long": "a" * 8192 + "!",
    "long and slashed": "a/" * 4096 + "!",
    "space": "a b",
    "quote": 'a"b',
    "angle": "<script>alert(1)</script>",
    "template": "{{7*7}}${7*7}%s%n",
    "query": "a;drop table oci_tag;--' or '1'='1",
    "upper": "Upper/Case",
    "arabic digit": "\u0663",
    "full width": "\uff41",
    "right to left": "a\u202eb",
    "astral": "\U0001f40b",
    "surrogate": "\udc80",
    "not utf-8": "\udcff\udcfe",
    "dashes": "-" * 300,
    "colons": ":" * 300,
    "empty digest": "sha256:",
    "digest of a path": "sha256:../../../../etc/passwd",
    "upper digest": "sha256:" + "A" * 64,
    "long digest": "sha256:" + "a" * 8192,
    "other algorithm": "md5:d41d8cd98f00b204e9800998ecf8427e",
    "algorithm of a path": "../sha256:" + "a" * 64,
}


def judge(response: TestResponse) -> TestResponse:
    """Check the requirements on every answer, for any request."""
    assert response.status_code < 500
    assert "X-Injected" not in response.headers
    for name, value in response.headers:
        assert all(" " <= c <= "~" for c in name + value), (name, value)
    assert "Set-Cookie" not in response.headers
    if response.status_code >= 400 and response.request.method != "HEAD":
        errors(response)
    return response


def send(
    client: RegistryClient, method: str, path: str, **kwargs: t.Any
) -> TestResponse:
    """Send a request whose decoded path has these characters."""
    # "PEP 3333: such strings [...] contain only code points representable in
    # ISO-8859-1 encoding", which are the bytes of the path.
    raw = path.encode("utf-8", "surrogateescape").decode("latin-1")
    environ = {"PATH_INFO": raw, **kwargs.pop("environ", {})}
    return judge(client.request(method, "/", environ=environ, **kwargs))
