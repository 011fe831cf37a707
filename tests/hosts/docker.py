"""A strict docker client: its requests, and the answers that it accepts."""

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

#: The path of the REST interface in the application.
REST: t.Final = "/api/oci/v1"


class Docker(DockerClient):
    """A docker client, which fails on every answer that a real one cannot use.

    :param app: the application, with the middleware in front of it.
    :param username: the logged-in user; empty for an anonymous client.
    :param password: the user's password, if it is not that of :data:`host.PASSWORDS`.
    :param url: the registry's address, as the client spells it.
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
        """Send one request, and check its answer."""
        response = super().send(method, path, *args, **kw)
        # Docker prints a body that is not JSON, and follows every redirect.
        assert "Set-Cookie" not in response.headers
        assert "Content-Encoding" not in response.headers
        assert not 300 <= response.status_code < 400, response.headers
        if response.status_code >= 400 and method != "HEAD":
            errors(response)
        if response.status_code == 401:
            assert response.headers["WWW-Authenticate"].startswith("Bearer realm=")
        return response

    def as_program(self) -> RegistryClient:
        """Return a client that sends the password with each request, as programs do."""
        known = basic(self.username, self._secret) if self.username else None
        return RegistryClient(self.app, known, self.url)


def tell_story(
    app: WSGIApplication, url: str = URL, prefix: str = "", **passwords: str
) -> None:
    """Check that alice can log in, push, pull, describe and delete an image, and that
    other clients are refused.

    :param app: the application, with the middleware in front of it.
    :param url: the registry's address, as clients spell it.
    :param prefix: the prefix of all addresses except ``/v2``.
    :param passwords: passwords of alice and bob other than the usual ones.
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


def _tell_rest_story(alice: Docker, bob: Docker, anonymous: Docker, root: str) -> None:
    path = f"{root}/repositories/alice/app"
    change, as_json = b'{"description": "Hello."}', {"Content-Type": "application/json"}
    changed = alice.as_program().patch(path, change, headers=as_json)
    assert changed.status_code == 200, changed.data
    listed = alice.as_program().get(f"{root}/repositories").get_json()["items"]
    assert [repository["description"] for repository in listed] == ["Hello."]
    refused = bob.as_program().patch(path, change, headers=as_json)
    assert refusal(refused) == (404, "NAME_UNKNOWN")
    assert refusal(anonymous.as_program().get(path)) == (401, "UNAUTHORIZED")
    nowhere = alice.as_program().get(f"{root}/nowhere")
    assert refusal(nowhere) == (404, "NAME_UNKNOWN")
