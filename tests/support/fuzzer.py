"""Random requests to every route, the same for the same seed."""

from __future__ import annotations

import json
import random
import typing as t
from urllib.parse import urlencode

from flask import Flask
from werkzeug.routing import Rule

from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import OCI_INDEX
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.manifests import UNKNOWN
from flask_oci.testing.requests import basic
from flask_oci.testing.requests import CHUNKED
from tests.support.hostile import HOSTILE
from tests.support.registry_client import NO_SESSION

NAME: t.Final = "alice/app"

#: Text that databases, parsers and servers treat in different ways.
TEXTS: t.Final = (
    *(value for value in HOSTILE.values() if len(value) < 1000),
    *("", "\0", "%00", "\U0001f40b", "\ud800", "\xff", "'", '"', "\\", "a" * 300),
    *("-1", "0", "1", "99999999999999999999", "1e9", "NaN", "null", "true", "٣"),
    *(NAME, "latest", "alice", "public", UNKNOWN, NO_SESSION, "*", "pull", "yes"),
    *("2026-01-01T00:00:00+00:00", "0001-01-01T00:00:00+14:00", "keep 10 newest"),
    f"repository:{NAME}:pull,push",
)
PARAMETERS: t.Final = (
    *("n", "last", "artifactType", "scope", "service", "account", "digest", "mount"),
    *("from", "to", "platform", "q", "sort", "show", "search", "order", "limit"),
    *("next", "after", "at", "tag", "before", "prefix", "owner", "repository"),
    *("digest-algorithm", "offline_token", "client_id"),
)
FIELDS: t.Final = (
    *("tag", "move", "confirmed", "name", "owner", "description", "visibility"),
    *("protected", "immutable", "rules", "repositories", "actions", "days"),
    *("grant_type", "username", "password", "refresh_token", "scope", "access_type"),
    *("patterns", "retain", "expires", "bytes", "images", "public"),
)
HEADERS: t.Final = (
    *("Accept", "Accept-Language", "Authorization", "Content-Range", "Cookie"),
    *("If-None-Match", "If-Range", "Range", "X-Forwarded-Host", "Origin", "Referer"),
)
RANGES: t.Final = ("bytes=0-", "bytes=-1", "bytes=0-0,2-", "0-3", "bytes=9-1")
TYPES: t.Final = (
    *("application/x-www-form-urlencoded", "multipart/form-data; boundary=a"),
    *("application/json", OCI_MANIFEST, OCI_INDEX, "application/octet-stream", ""),
)


class Broken:
    """A body that breaks off with an exception, as those of WSGI servers do.

    :param content: the bytes before that.
    """

    def __init__(self, content: bytes, error: Exception) -> None:
        self._content = content
        self._error = error

    def read(self, size: int = -1) -> bytes:
        """Return the content once; then raise the exception."""
        if not self._content:
            raise self._error
        piece, self._content = self._content, b""
        return piece


class Fuzzer:
    """Makes requests.

    :param app: the application, whose URL map has the routes.
    :param seed: the seed of all choices.
    :param form_token: the CSRF token of the visitor, which most forms contain.
    """

    def __init__(self, app: Flask, seed: int, form_token: str) -> None:
        self._random = random.Random(seed)
        self._form_token = form_token
        self._map = app.url_map.bind("localhost")
        self._rules = [
            rule
            for rule in app.url_map.iter_rules()
            if rule.endpoint.startswith("oci") and "static" not in rule.endpoint
        ]

    def request(self) -> dict[str, t.Any]:
        """Return the arguments of a request for Flask's test client."""
        choose = self._random.choice
        rule = choose(self._rules)
        headers = {choose(HEADERS): self._header() for _ in range(self._few())}
        if choose((True, False)):
            headers["Authorization"] = basic("alice", "wonderland")
        method = choose(sorted(rule.methods or {"GET"}))
        found: dict[str, t.Any] = {
            "method": method,
            "headers": headers,
            "query_string": urlencode(
                [(choose(PARAMETERS), self._text()) for _ in range(self._few())],
                errors="surrogatepass",
            ),
            "environ_overrides": {"PATH_INFO": self._path(rule)},
        }
        if method not in ("GET", "HEAD", "OPTIONS"):
            self._add_body(found)
        return found

    def _few(self) -> int:
        return self._random.choice((0, 0, 1, 1, 2, 4))

    def _text(self) -> str:
        return "".join(self._random.choices(TEXTS, k=self._random.choice((1, 1, 1, 2))))

    def _header(self) -> str:
        text = self._random.choice((*RANGES, self._text()))
        # WSGI servers refuse other characters.
        return "".join(c for c in text if " " <= c <= "\xff")

    def _path(self, rule: Rule) -> str:
        values: dict[str, t.Any] = dict.fromkeys(rule.arguments, "x")
        if "name" in values:
            values["name"] = NAME
        path = self._map.build(rule.endpoint, values)
        for argument in sorted(rule.arguments):
            if argument != "name":
                path = f"{path.rpartition('/')[0]}/{self._text()}"
            elif self._random.random() < 0.2:
                path = path.replace(NAME, self._text())
        return path.encode("utf-8", "surrogatepass").decode("latin-1")

    def _add_body(self, found: dict[str, t.Any]) -> None:
        choose = self._random.choice
        content_type = choose(TYPES)
        content = self._content(content_type)
        found["headers"]["Content-Type"] = content_type
        fate = self._random.random()
        if fate < 0.6:
            found["data"] = content
            return
        error = choose((OSError("broken"), ValueError("malformed"), EOFError()))
        found["environ_overrides"] |= {**CHUNKED, "wsgi.input": Broken(content, error)}
        if fate < 0.8:
            found["environ_overrides"]["CONTENT_LENGTH"] = str(len(content) + 10)
            del found["environ_overrides"]["HTTP_TRANSFER_ENCODING"]

    def _content(self, content_type: str) -> bytes:
        choose = self._random.choice
        fields = [(choose(FIELDS), self._text()) for _ in range(self._few() + 1)]
        if "json" not in content_type and choose((True, True, False)):
            fields.append(("oci_form", self._form_token))
        if content_type == TYPES[0]:
            return urlencode(fields, errors="surrogatepass").encode()
        if content_type == TYPES[1]:
            head = "--a\r\nContent-Disposition: form-data; name="
            parts = (f'{head}"{name}"\r\n\r\n{text}\r\n' for name, text in fields)
            return ("".join(parts) + "--a--").encode("utf-8", "surrogatepass")
        values = {
            name: choose((text, [text], {text: text}, 2**70, -1, None, True, 0.5))
            for name, text in fields
        }
        if choose((True, False)):
            return json.dumps(values).encode()
        damaged = bytearray(image(**t.cast(t.Any, values)))
        for _ in range(self._few()):
            damaged[self._random.randrange(len(damaged))] = self._random.randrange(256)
        return bytes(damaged)
