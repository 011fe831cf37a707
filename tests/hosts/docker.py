"""What docker sends, and what it can take for an answer."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlencode
from urllib.parse import urljoin

from werkzeug.datastructures import Headers
from werkzeug.test import Client
from werkzeug.test import EnvironBuilder
from werkzeug.test import TestResponse

from host import PASSWORDS
from registry_client import basic
from registry_client import CONFIG
from registry_client import digest_of
from registry_client import errors
from registry_client import image
from registry_client import LAYER
from registry_client import media_type_of
from registry_client import refusal
from registry_client import with_query

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

#: The address by which clients reach the application of a test.
URL: t.Final = "http://forge.example"

CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Docker:
    """Somebody's docker. It follows the addresses that it is given, and asks for a
    token where it is challenged.

    :param app: the application, with whatever stands in front of it.
    :param username: who has logged in; nobody, if it is empty.
    :param password: theirs, where it is not that of :data:`host.PASSWORDS`.
    :param url: how the client spells the registry's address.
    """

    def __init__(
        self,
        app: WSGIApplication,
        username: str = "",
        password: str | None = None,
        url: str = URL,
    ) -> None:
        self.url = url
        self._client = Client(app, use_cookies=False)
        self._password = PASSWORDS.get(username, "") if password is None else password
        self._username = username
        self._tokens: dict[str, str] = {}

    def login(self) -> int:
        """Send what ``docker login`` does, and return the status that it ends in."""
        return self.request("GET", "/v2/").status_code

    def push(self, name: str, tag: str) -> bytes:
        """Push an image of one layer, and return its manifest."""
        for content in (CONFIG, LAYER):
            self.push_blob(name, content)
        manifest = image(LAYER)
        self._expect(201, self.put_manifest(name, tag, manifest))
        return manifest

    def push_blob(self, name: str, content: bytes) -> None:
        """Push a blob: a look, a POST, a PATCH of unknown length, and a PUT."""
        digest = digest_of(content)
        if self.request("HEAD", f"/v2/{name}/blobs/{digest}").status_code == 200:
            return
        started = self.request("POST", f"/v2/{name}/blobs/uploads/", b"")
        location = self._expect(202, started).headers["Location"]
        patched = self.request("PATCH", location, content, chunked=True)
        location = self._expect(202, patched).headers["Location"]
        ended = self.request("PUT", with_query(location, digest=digest), b"")
        self._expect(201, ended)

    def put_manifest(self, name: str, tag: str, manifest: bytes) -> TestResponse:
        """Send a manifest."""
        headers = {"Content-Type": media_type_of(manifest)}
        return self.request("PUT", f"/v2/{name}/manifests/{tag}", manifest, headers)

    def pull(self, name: str, tag: str) -> bytes:
        """Pull an image of one layer, and return its manifest."""
        manifests = f"/v2/{name}/manifests"
        digest = self.request("HEAD", f"{manifests}/{tag}").headers[
            "Docker-Content-Digest"
        ]
        manifest = self._expect(200, self.request("GET", f"{manifests}/{digest}"))
        assert digest_of(manifest.data) == digest
        for content in (CONFIG, LAYER):
            path = f"/v2/{name}/blobs/{digest_of(content)}"
            assert self._expect(200, self.request("GET", path)).data == content
        return t.cast(bytes, manifest.data)

    def request(
        self,
        method: str,
        address: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        chunked: bool = False,
    ) -> TestResponse:
        """Send a request; send it again, with a token, when that is asked for."""
        url = urljoin(self.url, address)
        response = self._send(method, url, body, headers or {}, chunked)
        if response.status_code != 401:
            return response
        authorization = self._token(response.headers["WWW-Authenticate"])
        if authorization is None:
            return response
        headers = {**(headers or {}), "Authorization": authorization}
        return self._send(method, url, body, headers, chunked)

    def _token(self, challenge: str) -> str | None:
        scheme, _, parameters = challenge.partition(" ")
        assert scheme == "Bearer"
        asked = dict(CHALLENGE.findall(parameters))
        realm = asked.pop("realm")
        if challenge not in self._tokens:
            headers = {}
            if self._username:
                headers["Authorization"] = basic(self._username, self._password)
            answer = self._send("GET", f"{realm}?{urlencode(asked)}", None, headers)
            if answer.status_code == 401:
                return None
            self._tokens[challenge] = self._expect(200, answer).get_json()["token"]
        return f"Bearer {self._tokens[challenge]}"

    def _send(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: dict[str, str],
        chunked: bool = False,
    ) -> TestResponse:
        base, slash, path = url.partition("/v2/")
        builder = EnvironBuilder(
            slash + path,
            base,
            method=method,
            headers=Headers({"Accept-Encoding": "gzip", **headers}),
            data=body,
            environ_overrides=_CHUNKED if chunked else {},
        )
        try:
            response = self._client.open(builder, buffered=True)
        finally:
            builder.close()
        _check(response, method)
        return response

    def _expect(self, status: int, response: TestResponse) -> TestResponse:
        assert response.status_code == status, (response.status, response.data[:500])
        return response


def tell_story(app: WSGIApplication, url: str = URL, **passwords: str) -> None:
    """Have alice log in, push and pull, and others not, as it is everywhere.

    :param app: the application, with whatever stands in front of it.
    :param url: how clients spell the registry's address.
    :param passwords: alice's and bob's, where they have others.
    """
    alice = Docker(app, "alice", passwords.get("alice"), url)
    bob = Docker(app, "bob", passwords.get("bob"), url)
    assert alice.login() == 200
    assert Docker(app, "alice", "wrong", url).login() == 401
    manifest = alice.push("alice/app", "v1")
    assert alice.pull("alice/app", "v1") == manifest
    path = "/v2/alice/app/manifests/v1"
    assert refusal(Docker(app, url=url).request("GET", path)) == (401, "UNAUTHORIZED")
    assert refusal(bob.request("GET", path)) == (404, "NAME_UNKNOWN")
    start = bob.request("POST", "/v2/alice/app/blobs/uploads/", b"")
    assert refusal(start) == (403, "DENIED")
    absent = alice.request("GET", "/v2/alice/app/manifests/absent")
    assert refusal(absent) == (404, "MANIFEST_UNKNOWN")
    assert refusal(alice.request("GET", "/v2/nowhere")) == (404, "NAME_UNKNOWN")
    assert refusal(alice.put_manifest("alice/app", "v2", b'{"mediaType": "x/y"}')) == (
        400,
        "MANIFEST_INVALID",
    )
    assert alice.request("DELETE", path).status_code == 202


def _check(response: TestResponse, method: str) -> None:
    # Docker shows what is no JSON as it is, and follows wherever it is led.
    assert "Set-Cookie" not in response.headers
    assert "Content-Encoding" not in response.headers
    assert not 300 <= response.status_code < 400, response.headers
    if response.status_code >= 400 and method != "HEAD":
        errors(response)
    if response.status_code == 401:
        assert response.headers["WWW-Authenticate"].startswith("Bearer realm=")


#: What a server makes of a body without a length.
_CHUNKED: t.Final = {
    "CONTENT_LENGTH": "",
    "HTTP_TRANSFER_ENCODING": "chunked",
    "wsgi.input_terminated": True,
}
