"""Requests that are made to hurt: each gets a clean refusal, and changes nothing."""

from __future__ import annotations

import base64
import hashlib
import typing as t
from pathlib import Path

import pytest
from flask import Flask

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.manifests import UNKNOWN
from flask_oci.testing.requests import basic
from flask_oci.testing.requests import with_query
from tests.support.hostile import HOSTILE
from tests.support.hostile import INJECTION
from tests.support.hostile import judge
from tests.support.hostile import send
from tests.support.registry_client import RegistryClient


@pytest.fixture(autouse=True)
def _nothing_is_written(app: Flask, tmp_path: Path) -> t.Iterator[None]:
    """Fail a test after which there is a file that should not be there, or a blob
    whose content is not what its name says."""
    before = set(_paths(tmp_path))
    yield
    for path in set(_paths(tmp_path)) - before:
        parts = path.relative_to(tmp_path).parts
        assert parts[0] == "oci", path
        if parts[1] == "blobs":
            content = path.read_bytes()
            assert hashlib.new(parts[2], content).hexdigest() == parts[-1]
        else:
            assert parts[1] in ("uploads", "locks", "identity"), path
            assert len(parts) <= 4


def _paths(folder: Path) -> t.Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith("forge.sqlite"):
            yield path


ROUTES = (
    ("GET", "/v2/{}/tags/list"),
    ("GET", "/v2/alice/{}/manifests/latest"),
    ("GET", "/v2/alice/app/manifests/{}"),
    ("HEAD", "/v2/alice/app/manifests/{}"),
    ("PUT", "/v2/alice/app/manifests/{}"),
    ("DELETE", "/v2/alice/app/manifests/{}"),
    ("GET", "/v2/alice/app/blobs/{}"),
    ("DELETE", "/v2/alice/app/blobs/{}"),
    ("GET", "/v2/alice/app/referrers/{}"),
    ("POST", "/v2/alice/{}/blobs/uploads/"),
    ("GET", "/v2/alice/app/blobs/uploads/{}"),
    ("PATCH", "/v2/alice/app/blobs/uploads/{}"),
    ("PUT", "/v2/alice/app/blobs/uploads/{}"),
    ("DELETE", "/v2/alice/app/blobs/uploads/{}"),
    ("GET", "/v2/{}"),
    ("POST", "/v2/{}"),
)


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_return_4xx(alice: RegistryClient, value: str) -> None:
    """No name, tag, digest or session id of any shape is more than a clean 4xx."""
    alice.push_image("alice/app", "latest")
    for method, route in ROUTES:
        path = route.format(value)
        response = send(alice, method, path, body=b"{}" if method == "PUT" else None)
        # Two slashes in a row are one, elsewhere; nothing else is anywhere.
        assert response.status_code == 308 or 400 <= response.status_code < 500, path
        assert response.status_code != 401, path


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_hostile_parameters_are_refused_or_ignored(
    alice: RegistryClient, value: str
) -> None:
    """No parameter of any shape is more than refused, or not heard."""
    alice.push_image("alice/app", "latest")
    query = value.encode("utf-8", "surrogateescape").decode("latin-1")
    session = alice.start_upload("alice/app")
    content = alice.get("/v2/alice/app/manifests/latest").data
    target = f"/v2/alice/app/manifests/{digest_of(content)}"
    for method, path, names in (
        ("POST", "/v2/alice/new/blobs/uploads/", ["digest"]),
        ("POST", "/v2/alice/new/blobs/uploads/", ["mount"]),
        ("POST", "/v2/alice/new/blobs/uploads/", ["digest-algorithm"]),
        ("PUT", session, ["digest"]),
        ("PUT", target, ["tag"]),
        ("GET", "/v2/alice/app/tags/list", ["n"]),
        ("GET", "/v2/_catalog", ["n"]),
        ("GET", f"/v2/alice/app/referrers/{UNKNOWN}", ["n"]),
    ):
        response = alice.request(
            method,
            path,
            content if path == target else None,
            query=dict.fromkeys(names, query),
            headers={"Content-Type": OCI_MANIFEST} if path == target else {},
        )
        status, _ = refusal(judge(response))
        assert status == 400, (method, path, names)
    for method, path, names in (
        ("GET", "/v2/alice/app/tags/list", ["last"]),
        ("GET", "/v2/_catalog", ["last"]),
        ("GET", f"/v2/alice/app/referrers/{UNKNOWN}", ["artifactType", "last"]),
        ("GET", "/v2/token", ["scope", "service", "account", "client_id"]),
    ):
        response = alice.request(method, path, query=dict.fromkeys(names, query))
        assert judge(response).status_code == 200
    mount = {"mount": UNKNOWN, "from": query}
    response = alice.post("/v2/alice/new/blobs/uploads/", query=mount)
    assert judge(response).status_code == 202
    assert alice.tags("alice/app") == ["latest"]


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "n",
    [
        "-1",
        "\u0663",
        "1\u0663",
        "\uff11",
        "",
        " 1",
        "1 ",
        "+1",
        "1_0",
        "1e3",
        "0x1",
        "1.0",
    ],
)
def test_page_size_not_decimal_is_refused(alice: RegistryClient, n: str) -> None:
    """Only decimal digits of ASCII are a number of entries."""
    alice.push_image("alice/app", "latest")
    for path in ("/v2/_catalog", "/v2/alice/app/tags/list"):
        response = judge(alice.get(path, query={"n": n}))
        assert refusal(response) == (400, "UNSUPPORTED")


AUTHORIZATIONS = {
    "no scheme": basic("alice", "wonderland").partition(" ")[2],
    "bad base64": "Basic !!!!",
    "cut base64": "Basic YWxpY2U6d29uZGVybGFuZ",
    "not utf-8": "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
    "no colon": "Basic " + base64.b64encode(b"alice").decode(),
    "nul": basic("al\0ice", "won\0derland"),
    "line feed": basic("alice\n", "wonderland"),
    "long name": basic("a" * 8192, "wonderland"),
    "long password": basic("alice", "w" * 8192),
    "case of the name": basic("ALICE", "wonderland"),
    "name only": basic("alice", ""),
    "password only": basic("", "wonderland"),
    "wide": basic("\uff41lice", "wonderland"),
    "surrogate": "Basic " + base64.b64encode(b"\xed\xa0\x80:x").decode(),
    "injection": basic(INJECTION, INJECTION),
    "sql": basic("' or 1=1 --", "x"),
    "unknown scheme": "Negotiate YII=",
    "digest": 'Digest username="alice", realm="x"',
    "aws": "AWS4-HMAC-SHA256 Credential=x/y, SignedHeaders=host",
    "bearer garbage": "Bearer garbage",
    "bearer empty": "Bearer ",
    "bearer dots": "Bearer ...",
    "bearer jwt": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.",
    "bearer latin": "Bearer \xe9\xff.\xe9.\xe9",
    "bearer long": "Bearer " + "A" * 8192,
    "bearer zlib bomb": "Bearer .eJztwTEBAAAAwqD1T20ND6AAAAAAAAAA.AAAA.AAAA",
    "two": "Basic YTpi, Bearer x",
    "tab": "Basic\tYWxpY2U6d29uZGVybGFuZA==",
    "not ascii": "Basic YWxp\xe9Y2U=",
    "not ascii scheme": "B\xe4sic YWxpY2U6d29uZGVybGFuZA==",
    "no-break space": "Basic\xa0YWxpY2U6d29uZGVybGFuZA==",
    "good and another": basic("alice", "wonderland") + ", Bearer x",
    "another and good": "Bearer x," + basic("alice", "wonderland"),
    "good twice": basic("alice", "wonderland") + "," + basic("alice", "wonderland"),
    "good in a long header": basic("alice", "wonderland") + "," + "A" * 65536,
    "good with noise": basic("alice", "wonderland").replace("Y2U6", "Y2U6!"),
    "parameters": 'Basic username="alice", password="wonderland"',
}


@pytest.mark.parametrize("header", AUTHORIZATIONS.values(), ids=AUTHORIZATIONS)
def test_credentials_malformed_return_401(app: Flask, header: str) -> None:
    """Malformed credentials return a 401 that names the token service."""
    for path in ("/v2/", "/v2/token", "/v2/alice/app/manifests/latest", "/v2/x/y/z"):
        response = judge(RegistryClient(app, header).get(path))
        assert refusal(response) == (401, "UNAUTHORIZED")
        assert response.headers["WWW-Authenticate"].startswith("Bearer realm=")


@pytest.mark.parametrize("spell", [str.lower, str.upper, str.swapcase, "{} ".format])
def test_authentication_scheme_is_case_insensitive(
    app: Flask, spell: t.Callable[[str], str]
) -> None:
    """ "[...] it uses a case-insensitive token to identify the authentication scheme"
    (RFC 9110, section 11.1), with one space or more behind it."""
    alice = RegistryClient.of(app, "alice")
    for authorization in (alice.authorization, alice.bearer().authorization):
        scheme, _, secret = (authorization or "").partition(" ")
        client = RegistryClient(app, f"{spell(scheme)} {secret}")
        assert client.get("/v2/").status_code == 200


@pytest.mark.parametrize("header", ["Basic", "Basic Og=="])
def test_credentials_empty_are_anonymous(app: Flask, header: str) -> None:
    """A client that sends an empty name and password is anonymous."""
    client = RegistryClient(app, header)
    assert refusal(judge(client.get("/v2/"))) == (401, "UNAUTHORIZED")
    response = judge(client.post("/v2/alice/app/blobs/uploads/"))
    assert refusal(response) == (401, "UNAUTHORIZED")


FORM_TYPES = (
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "application/json",
    "text/html; charset=utf-7",
    "a/b; \xff",
    "/",
    "x" * 8192,
)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("content_type", FORM_TYPES)
def test_blob_content_type_is_ignored(alice: RegistryClient, content_type: str) -> None:
    """The type of a blob's body is not looked at: a form is stored, not parsed."""
    content = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'
    headers = {"Content-Type": content_type}
    digest = digest_of(content)
    path = "/v2/alice/app/blobs/uploads/"
    whole = alice.post(path, content, headers=headers, query={"digest": digest})
    assert whole.status_code == 201
    assert alice.get(whole.headers["Location"]).data == content
    location = alice.start_upload("alice/other")
    assert alice.patch(location, content, headers=headers).status_code == 202
    twice = with_query(location, digest=digest_of(content * 2))
    put = alice.put(twice, content, headers=headers)
    assert put.status_code == 201
    got = alice.get(put.headers["Location"])
    assert got.data == content * 2
    assert got.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.sqlite_only
@pytest.mark.parametrize("content_type", FORM_TYPES)
def test_manifest_other_content_type_is_refused(
    alice: RegistryClient, content_type: str
) -> None:
    """A manifest that is sent as anything else is refused, and never served as it."""
    content = alice.push_image("alice/app")
    response = alice.put_manifest("alice/app", "page", content, content_type)
    assert refusal(judge(response)) == (400, "MANIFEST_INVALID")
    assert alice.get("/v2/alice/app/manifests/page").status_code == 404
