"""Mirrors: an upstream at a host name of its own."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.requests import basic
from tests.conftest import MakeApp
from tests.support.registry_client import RegistryClient

from .conftest import IMAGE
from .conftest import Upstreamed

HOST = "hub.forge.test"
MANIFEST = "/v2/library/alpine/manifests/3"
BLOB = f"/v2/library/alpine/blobs/{digest_of(LAYER)}"
ALL = {"mirror_hosts": [HOST], "mirror_networks": ["127.0.0.0/8"]}


def ask(
    client: RegistryClient, path: str, method: str = "GET", host: str = HOST
) -> TestResponse:
    """Send a request to a mirror, as Docker does."""
    return client.request(method, path, headers={"Host": host})


def test_client_in_the_network_pulls_without_namespace_and_credentials(
    up: Upstreamed,
) -> None:
    """As dockerd does with registry-mirrors."""
    docker = RegistryClient(up.app(None, **ALL))
    assert ask(docker, "/v2/").status_code == 200
    assert ask(docker, MANIFEST, "HEAD").status_code == 200
    assert ask(docker, MANIFEST).data == IMAGE
    assert ask(docker, BLOB).data == LAYER
    # Names of other repositories of the forge do not exist there.
    alice = RegistryClient.of(docker.app, "alice")
    alice.push_image("alice/app", "1")
    assert ask(docker, "/v2/alice/app/manifests/1").status_code == 404
    assert docker.get("/v2/").status_code == 401


def test_other_clients_pull_only_what_is_public(up: Upstreamed) -> None:
    app = up.app(None, mirror_hosts=[HOST], mirror_networks=["10.0.0.0/8"])
    refused = ask(RegistryClient(app), MANIFEST)
    assert (refused.status_code, up.hub.asked) == (404, [])
    assert "docker login" in refused.text
    app = up.app(None, mirror_hosts=[HOST], visibility="public")
    assert ask(RegistryClient(app), MANIFEST).data == IMAGE


def test_mirror_neither_challenges_nor_checks_a_password(up: Upstreamed) -> None:
    """A client sends its password of the upstream, which is none of this forge."""
    app = up.app(None, mirror_hosts=[HOST])
    for _ in range(30):
        client = RegistryClient(app, basic("alice", "password at Docker Hub"))
        assert ask(client, "/v2/").status_code == 200
        found = ask(client, MANIFEST)
        assert found.status_code == 404
        assert "WWW-Authenticate" not in found.headers
    assert RegistryClient.of(app, "alice").get("/v2/").status_code == 200


def test_refusal_of_the_host_is_no_challenge(up: Upstreamed) -> None:
    app = up.app(None, **ALL)

    @app.before_request
    def refuse() -> tuple[str, int]:
        return "log in", 401

    found = ask(RegistryClient(app), MANIFEST)
    assert (found.status_code, "WWW-Authenticate" in found.headers) == (403, False)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/library/alpine/blobs/uploads/"),
        ("PUT", MANIFEST),
        ("DELETE", MANIFEST),
        ("GET", "/v2/token"),
        ("GET", "/v2/_catalog"),
    ],
)
def test_mirror_serves_only_pulls(up: Upstreamed, method: str, path: str) -> None:
    client = RegistryClient.of(up.app(None, **ALL), "alice")
    assert ask(client, path, method).status_code == 405


@pytest.mark.parametrize(
    ("wanted", "status"),
    [("UPSTREAM", 200), ("docker.io", 404), ("169.254.169.254", 404), ("", 404)],
)
def test_named_upstream_must_be_the_one_of_the_mirror(
    up: Upstreamed, wanted: str, status: int
) -> None:
    """containerd names it. The name is never an address to connect to."""
    name = wanted.replace("UPSTREAM", up.address.partition("://")[2])
    client = RegistryClient(up.app(None, **ALL))
    assert ask(client, f"{MANIFEST}?ns={name}").status_code == status


def test_other_hosts_are_no_mirror(up: Upstreamed) -> None:
    client = RegistryClient(up.app(None, **ALL))
    for host in ("forge.test", f"{HOST}.evil.test", "hub"):
        assert ask(client, MANIFEST, host=host).status_code == 401


def test_mirror_serves_no_image_of_a_user_of_the_same_name(
    up: Upstreamed, make_app: MakeApp
) -> None:
    """The repository is older than the upstream, which does not own it."""
    before = make_app(None)
    RegistryClient.of(before, "bob").push_image("bob/secret", "1")
    settings = {"address": up.address, "networks": ["127.0.0.0/8"], **ALL}
    app = make_app(None, OCI_UPSTREAMS={"bob": settings})
    assert ask(RegistryClient(app), "/v2/secret/manifests/1").status_code == 404
    assert ask(RegistryClient(app), MANIFEST).data == IMAGE
    bob = RegistryClient.of(app, "bob")
    assert bob.get("/v2/bob/secret/manifests/1").status_code == 200
