"""The ``Location`` and ``Link`` headers of pushes and lists."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.requests import with_query
from tests.support.registry_client import RegistryClient

PUBLIC = "https://forge.example"
UPLOADS = "/v2/alice/app/blobs/uploads/"


def locations(alice: RegistryClient) -> list[str]:
    """Push an image in each way, and return the ``Location`` of each response.

    Each request of an upload uses the location of the one before.
    """
    digest = digest_of(LAYER)
    begun = alice.post(UPLOADS)
    sent = alice.patch(begun.headers["Location"], LAYER)
    asked = alice.get(sent.headers["Location"])
    done = alice.put(with_query(asked.headers["Location"], digest=digest), b"")
    whole = alice.post(with_query(UPLOADS, digest=digest_of(CONFIG)), CONFIG)
    mounted = alice.post(
        "/v2/alice/new/blobs/uploads/", query={"mount": digest, "from": "alice/app"}
    )
    manifest = alice.put(
        "/v2/alice/app/manifests/1.0",
        image(LAYER),
        headers={"Content-Type": OCI_MANIFEST},
    )
    answers = (begun, sent, asked, done, whole, mounted, manifest)
    assert [each.status_code for each in answers] == [202, 202, 204, 201, 201, 201, 201]
    for stored in (done, whole, manifest):
        assert alice.get(stored.headers["Location"]).status_code == 200
    return [each.headers["Location"] for each in answers]


def test_locations_without_settings_are_paths(alice: RegistryClient) -> None:
    """A path is correct at every address."""
    assert all(found.startswith("/v2/alice/") for found in locations(alice))


@pytest.mark.options(oci_external_url=PUBLIC)
def test_locations_with_external_url_are_absolute(alice: RegistryClient) -> None:
    """Some clients require scheme and host."""
    assert all(found.startswith(f"{PUBLIC}/v2/alice/") for found in locations(alice))


@pytest.mark.options(oci_external_url=PUBLIC, oci_absolute_locations=False)
def test_locations_are_paths_if_absolute_locations_is_false(
    alice: RegistryClient,
) -> None:
    """The key has priority over OCI_EXTERNAL_URL."""
    assert all(found.startswith("/v2/alice/") for found in locations(alice))


@pytest.mark.options(oci_absolute_locations=True)
def test_locations_without_external_url_have_the_host_of_the_request(
    app: Flask, alice: RegistryClient
) -> None:
    """ProxyFix provides the address and the prefix of the proxy."""
    assert all(found.startswith("http://localhost/v2/") for found in locations(alice))
    app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
        app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1
    )
    headers = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "images.example:8443",
        "X-Forwarded-Prefix": "/forge",
    }
    begun = alice.post(UPLOADS, headers=headers)
    expected = f"https://images.example:8443/forge{UPLOADS}"
    assert begun.headers["Location"].startswith(expected)


@pytest.mark.options(oci_external_url=PUBLIC)
def test_locations_under_a_prefix_contain_it(app: Flask, alice: RegistryClient) -> None:
    """The server may pass a prefix as SCRIPT_NAME."""
    answer = app.test_client().post(
        UPLOADS,
        base_url="http://127.0.0.1:8000/forge",
        headers={"Authorization": t.cast(str, alice.authorization)},
    )
    assert answer.headers["Location"].startswith(f"{PUBLIC}/forge{UPLOADS}")


@pytest.mark.options(oci_external_url=PUBLIC)
def test_link_of_a_list_is_a_path(app: Flask, alice: RegistryClient) -> None:
    """Clients resolve it, as they do with Distribution's."""
    alice.push_image("alice/app", "1.0")
    alice.push_image("alice/app", "2.0")
    answer = app.test_client().get(
        "/v2/alice/app/tags/list?n=1",
        base_url="http://127.0.0.1:8000/forge",
        headers={"Authorization": t.cast(str, alice.authorization)},
    )
    link = '</forge/v2/alice/app/tags/list?n=1&last=1.0>; rel="next"'
    assert answer.headers["Link"] == link


@pytest.mark.options(oci_external_url=PUBLIC)
def test_challenge_and_location_name_the_same_address(app: Flask) -> None:
    """The client sends its token to one registry only."""
    challenge = app.test_client().get("/v2/").headers["WWW-Authenticate"]
    assert f'realm="{PUBLIC}/v2/token"' in challenge
