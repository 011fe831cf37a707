"""Blocked digests of upstreams, whether they are cached or not."""

from __future__ import annotations

import pytest

from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

from .conftest import IMAGE
from .conftest import Upstreamed

NAME = "hub/library/alpine"
INDEX = index(descriptor(IMAGE, OCI_MANIFEST))
HOST = {"Host": "hub.forge.test"}


@pytest.mark.parametrize("is_cached", [False, True])
def test_blocked_content_of_upstream_is_neither_served_nor_fetched(
    up: Upstreamed, is_cached: bool
) -> None:
    up.hub.push("library/alpine", "all", manifest=INDEX, blobs=())
    mirror = {"mirror_hosts": [HOST["Host"]], "mirror_networks": ["127.0.0.0/8"]}
    alice = RegistryClient.of(up.app(None, **mirror), "alice")
    docker = RegistryClient(alice.app)
    alice.get(f"/v2/{NAME}/manifests/all")
    if is_cached:
        alice.pull(NAME, "3")
        up.settle()
    with alice.app.app_context():
        for digest in (digest_of(IMAGE), digest_of(LAYER)):
            registry.blocks.add(digest, path="*", reason="malware")
    asked = up.blobs()
    for path in (
        "manifests/3",
        f"manifests/{digest_of(IMAGE)}",
        f"blobs/{digest_of(LAYER)}",
    ):
        for method in ("HEAD", "GET"):
            found = alice.request(method, f"/v2/{NAME}/{path}")
            assert found.status_code == 403, (method, path)
            mirrored = docker.request(
                method, f"/v2/library/alpine/{path}", headers=HOST
            )
            assert mirrored.status_code == 403, (method, path)
        assert "is blocked: malware" in found.get_json()["errors"][0]["message"]
    warmed = Upkeep(alice.app).run("upstream", "warm", f"{NAME}:3")
    assert (warmed.exit_code, "malware" in warmed.output) == (1, True)
    up.settle()
    assert up.blobs() == asked
