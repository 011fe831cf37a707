"""Headers, parameters and hosts of any kind, alone and all at once."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.manifests import UNKNOWN
from flask_oci.testing.requests import with_query
from tests.support.hostile import HOSTILE
from tests.support.hostile import judge
from tests.support.hostile import send
from tests.support.registry_client import NO_SESSION
from tests.support.registry_client import RegistryClient

pytestmark = pytest.mark.sqlite_only

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")

#: The headers that the registry, or something under it, reads.
READ = (
    *("Accept", "Accept-Encoding", "Authorization", "Connection", "Content-Encoding"),
    *("Content-Length", "Content-Range", "Content-Type", "Cookie", "Expect"),
    *("If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "Origin", "Range"),
    *("Transfer-Encoding", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Prefix"),
    *("X-HTTP-Method-Override", "X-Original-URL", "Docker-Upload-UUID", "Upgrade"),
)

over_http = settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# A WSGI server passes header values as Latin-1 text without line ends.
values = st.one_of(
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0")),
    st.sampled_from([v for v in HOSTILE.values() if v.isascii() and "\n" not in v]),
    st.sampled_from(["bytes=0-0", "0-0", "chunked", "*", '"x"', "5", OCI_MANIFEST]),
)
segments = st.one_of(
    st.sampled_from(
        ["v2", "alice", "app", "blobs", "uploads", "manifests", "tags", "list", "token"]
    ),
    st.sampled_from(["referrers", "_catalog", "latest", UNKNOWN, NO_SESSION, "", "."]),
    st.sampled_from(list(HOSTILE.values())),
    st.text(st.characters(max_codepoint=0x2FF), max_size=4),
)
parameters = st.dictionaries(
    st.sampled_from(
        ["n", "last", "digest", "mount", "from", "tag", "artifactType", "scope", "x"]
    ),
    st.lists(st.one_of(values, st.just(""), st.just(UNKNOWN)), max_size=3),
    max_size=3,
)


@over_http
@given(
    st.sampled_from(METHODS),
    st.lists(segments, max_size=7).map("/".join),
    parameters,
    st.dictionaries(st.sampled_from(READ), values, max_size=3),
    st.binary(max_size=20),
)
def test_any_request_is_answered(
    alice: RegistryClient,
    method: str,
    path: str,
    query: dict[str, list[str]],
    headers: dict[str, str],
    body: bytes,
) -> None:
    """No method, address, parameter, header and body together are a server error."""
    environ = {
        "CONTENT_TYPE" if name == "Content-Type" else _key(name): value
        for name, value in headers.items()
    }
    send(alice, method, f"/v2/{path}", body=body, query=query, environ=environ)


def _key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key == "CONTENT_LENGTH" else f"HTTP_{key}"


@over_http
@given(st.dictionaries(st.sampled_from(READ[:-9]), values, min_size=1, max_size=4))
def test_download_headers_return_only_bytes_of_the_blob(
    alice: RegistryClient, headers: dict[str, str]
) -> None:
    """With any headers, a download returns the blob or a part of it."""
    content = b"0123456789"
    digest = alice.push_blob("alice/app", content)
    environ = {_key(name): value for name, value in headers.items()}
    path = f"/v2/alice/app/blobs/{digest}"
    response = send(alice, "GET", path, environ=environ)
    if response.status_code == 304:
        # "If-None-Match: *" matches; a 304 has no content and no headers about it.
        assert not response.data
        return
    if response.status_code == 200:
        assert response.data == content
    elif response.status_code == 206 and "Content-Range" in response.headers:
        assert response.data in content
    assert response.headers["Content-Type"] in (
        "application/octet-stream",
        "application/json",
    ) or response.headers["Content-Type"].startswith("multipart/byteranges")


HOSTS = (
    "evil.example",
    "evil.example:1",
    'evil"x',
    "evil.example, other.example",
    "a b",
    "@evil.example",
    "evil.example/path?x#y",
    "evil.example\\",
    "[::1]:5000",
    "[evil",
    "\xe9vil.example",
    "-",
    "evil.example:port",
    "",
)


@pytest.mark.options(oci_external_url="https://registry.example")
@pytest.mark.parametrize("host", HOSTS)
def test_host_header_is_ignored_with_external_url(
    app: Flask, alice: RegistryClient, host: str
) -> None:
    """With an external address set, no answer repeats the client's host."""
    environ = {"HTTP_HOST": host, "HTTP_X_FORWARDED_HOST": host}
    answers = [
        send(RegistryClient(app), "GET", "/v2/", environ=environ),
        send(RegistryClient(app), "GET", "/v2/alice/app/tags/list", environ=environ),
        send(alice, "POST", "/v2/alice/app/blobs/uploads/", environ=environ),
        send(alice, "GET", "/v2/alice/app/tags/list", environ=environ),
        send(alice, "GET", "/v2/nowhere", environ=environ),
    ]
    assert [a.status_code for a in answers] == [401, 401, 202, 200, 404]
    for answer in answers[:2]:
        realm = 'realm="https://registry.example/v2/token"'
        assert realm in answer.headers["WWW-Authenticate"]
    location = answers[2].headers["Location"]
    assert location.startswith("https://registry.example/v2/alice/app/blobs/uploads/")
    for answer in answers:
        assert "evil" not in f"{answer.headers}{answer.data!r}"


@pytest.mark.options(oci_absolute_locations=True)
@pytest.mark.parametrize("host", HOSTS)
def test_host_header_is_quoted_in_an_absolute_location(
    alice: RegistryClient, host: str
) -> None:
    """Without an external address, the location is one URL all the same."""
    path = "/v2/alice/app/blobs/uploads/"
    answer = send(alice, "POST", path, environ={"HTTP_HOST": host})
    assert answer.status_code == 202
    location = answer.headers["Location"]
    assert f"{path}{answer.headers['Docker-Upload-UUID']}" in location
    assert not set(location) & set(' "\\<>,')


@pytest.mark.parametrize("host", HOSTS)
def test_host_header_is_quoted_in_the_challenge(app: Flask, host: str) -> None:
    """Without an external address, the realm is one quoted string all the same."""
    response = send(RegistryClient(app), "GET", "/v2/", environ={"HTTP_HOST": host})
    assert refusal(response) == (401, "UNAUTHORIZED")
    challenge = response.headers["WWW-Authenticate"]
    realm, quote, rest = challenge.removeprefix('Bearer realm="').partition('"')
    assert quote
    assert rest == ',service="forge"'
    assert realm.endswith("/v2/token")
    assert not set(realm) & set(' "\\<>,')


@pytest.mark.parametrize("host", [".", "evil..example", "x" * 8192])
def test_host_header_invalid_is_refused(app: Flask, host: str) -> None:
    """Flask refuses a host that no name can be before it looks for a route."""
    response = RegistryClient(app).get("/v2/", environ={"HTTP_HOST": host})
    assert response.status_code == 400
    assert "WWW-Authenticate" not in response.headers


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?digest=", (400, "DIGEST_INVALID")),
        ("?digest", (400, "DIGEST_INVALID")),
        ("?mount=", (400, "DIGEST_INVALID")),
        ("?mount=&from=", (400, "DIGEST_INVALID")),
        (f"?mount={UNKNOWN}&mount=x&from=&from=alice/app", (202, None)),
        ("?digest-algorithm=", (400, "DIGEST_INVALID")),
        ("?digest-algorithm=md5", (400, "DIGEST_INVALID")),
        ("?digest-algorithm=sha256&digest-algorithm=md5", (202, None)),
        (f"?digest={UNKNOWN}&digest=x", (400, "DIGEST_INVALID")),
        (f"?digest=x&digest={digest_of(b'')}", (400, "DIGEST_INVALID")),
        (f"?digest={digest_of(b'').replace(':', '%3A')}", (201, None)),
        (f"?digest={digest_of(b'').replace(':', '%253A')}", (400, "DIGEST_INVALID")),
        ("?&&==&%&%zz&=x&" + "a=b&" * 150, (202, None)),
        ("?" + "a=b&" * 200, (414, "UNSUPPORTED")),
        (f"?MOUNT={UNKNOWN}&Digest=x", (202, None)),
    ],
)
def test_parameters_repeated_or_empty_are_handled(
    alice: RegistryClient, query: str, expected: tuple[int, str | None]
) -> None:
    """The first of several counts, an empty one is a wrong one, others are ignored."""
    response = judge(alice.post(f"/v2/alice/app/blobs/uploads/{query}"))
    if expected[1] is None:
        assert response.status_code == expected[0]
    else:
        assert refusal(response) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["a", "a", "b"], 201),
        (["a", ""], 400),
        (["a", "-b"], 400),
        (["a", UNKNOWN], 400),
        ([f"t{i}" for i in range(10)], 201),
        ([f"t{i}" for i in range(150)], 414),
    ],
)
def test_tags_are_set_all_or_none(
    alice: RegistryClient, tags: list[str], expected: int
) -> None:
    """A push of a manifest with a tag that is none, or with too many, sets nothing."""
    alice.push_blob("alice/app", b"{}")
    content = image(config=b"{}")
    target = f"/v2/alice/app/manifests/{digest_of(content)}"
    response = judge(
        alice.put(
            target,
            content,
            headers={"Content-Type": OCI_MANIFEST},
            query={"tag": tags},
        )
    )
    assert response.status_code == expected
    if expected == 201:
        assert response.headers.getlist("OCI-Tag") == list(dict.fromkeys(tags))
        assert alice.tags("alice/app") == sorted(set(tags))
    else:
        assert refusal(response) == (expected, "MANIFEST_INVALID")
        assert alice.get(target).status_code == 404


SESSIONS: dict[str, t.Callable[[str], str]] = {
    "upper": str.upper,
    "braces": "{{{}}}".format,
    "urn": "urn:uuid:{}".format,
    "no dashes": lambda session: session.replace("-", ""),
    "space": " {}".format,
    "line feed": "{}\n".format,
    "nul": "{}\0".format,
    "parent": "../uploads/{}".format,
    "current": "./{}".format,
    "backslash": "..\\uploads\\{}".format,
    "longer": "{}0".format,
    "wide": lambda session: session.replace("-", "\uff0d") + "\u200b",
    "encoded": lambda session: "".join(f"%{ord(c):02x}" for c in session),
}


@pytest.mark.parametrize("spell", SESSIONS.values(), ids=SESSIONS)
def test_session_identifier_has_one_spelling(
    alice: RegistryClient, spell: t.Callable[[str], str]
) -> None:
    """A session id that is spelt in another way is no session's."""
    location = alice.start_upload("alice/app")
    alice.patch(location, b"abc")
    path, _, session = location.rpartition("/")
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        body = None if method in ("GET", "DELETE") else b"xyz"
        query = {"digest": digest_of(b"abcxyz")} if method == "PUT" else {}
        other = f"{path}/{spell(session)}"
        response = send(alice, method, other, body=body, query=query)
        assert response.status_code in (400, 404, 405)
    assert alice.get(location).headers["Range"] == "0-2"
    assert alice.put(with_query(location, digest=digest_of(b"abc"))).status_code == 201
