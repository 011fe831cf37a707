"""What docker sends, and what it can take for an answer."""

from __future__ import annotations

import typing as t

from werkzeug.test import TestResponse

from flask_oci.testing import DockerClient
from flask_oci.testing import RegistryClient
from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from flask_oci.testing.requests import basic
from tests.support.host import PASSWORDS

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

#: The address by which clients reach the application of a test.
URL: t.Final = "http://forge.example"

#: Where the REST interface is, in the application.
REST: t.Final = "/api/oci/v1"


class Docker(DockerClient):
    """Somebody's docker, which takes no answer that a real one could not.

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
        secret = PASSWORDS.get(username, "") if password is None else password
        super().__init__(app, username, secret, url)

    def send(self, method: str, path: str, *args: t.Any, **kw: t.Any) -> TestResponse:
        """Send one request, and look at the answer."""
        response = super().send(method, path, *args, **kw)
        # Docker shows what is no JSON as it is, and follows wherever it is led.
        assert "Set-Cookie" not in response.headers
        assert "Content-Encoding" not in response.headers
        assert not 300 <= response.status_code < 400, response.headers
        if response.status_code >= 400 and method != "HEAD":
            errors(response)
        if response.status_code == 401:
            assert response.headers["WWW-Authenticate"].startswith("Bearer realm=")
        return response

    def as_program(self) -> RegistryClient:
        """Return a client that sends the password each time, as a program does."""
        known = basic(self.username, self._secret) if self.username else None
        return RegistryClient(self.app, known, self.url)


def tell_story(
    app: WSGIApplication, url: str = URL, prefix: str = "", **passwords: str
) -> None:
    """Have alice log in, push, pull and describe what it is, and others not, as it is
    everywhere.

    :param app: the application, with whatever stands in front of it.
    :param url: how clients spell the registry's address.
    :param prefix: where everything but ``/v2`` is.
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
    _tell_rest_story(alice, bob, Docker(app, url=url), prefix + REST)
    assert alice.request("DELETE", path).status_code == 202


def _tell_rest_story(alice: Docker, bob: Docker, nobody: Docker, root: str) -> None:
    path = f"{root}/repositories/alice/app"
    change, as_json = b'{"description": "Hello."}', {"Content-Type": "application/json"}
    changed = alice.as_program().patch(path, change, headers=as_json)
    assert changed.status_code == 200, changed.data
    listed = alice.as_program().get(f"{root}/repositories").get_json()["items"]
    assert [repository["description"] for repository in listed] == ["Hello."]
    refused = bob.as_program().patch(path, change, headers=as_json)
    assert refusal(refused) == (404, "NAME_UNKNOWN")
    assert refusal(nobody.as_program().get(path)) == (401, "UNAUTHORIZED")
    nowhere = alice.as_program().get(f"{root}/nowhere")
    assert refusal(nowhere) == (404, "NAME_UNKNOWN")
