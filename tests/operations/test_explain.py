"""Explanations of why garbage collection keeps content."""

from __future__ import annotations

import pytest
from flask import Flask

from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.manifests import UNKNOWN
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep

BLOB = b"nobody needs this"
DIGEST = digest_of(BLOB)


@pytest.fixture(name="keeper")
def _keeper(app: Flask) -> Upkeep:
    """An operator who collects garbage."""
    return Upkeep(app)


def test_explain_layer_lists_the_chain_to_a_tag(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """An operator can ask why a layer is kept, and reads each step up to a tag."""
    child = alice.push_image("alice/app")
    whole = index(descriptor(child, OCI_MANIFEST))
    alice.push_manifest("alice/app", whole, "latest")
    with later(LONG):
        result = keeper.run("gc", "--explain", digest_of(LAYER))
    assert result.stdout.splitlines() == [
        "alice/app",
        f"  layer of {digest_of(child)}",
        "    untagged; kept because OCI_UNTAGGED_LIFETIME is not set",
        f"    child of {digest_of(whole)}",
        "      tagged latest",
    ]


def test_explain_referrers_ends(alice: RegistryClient, keeper: Upkeep) -> None:
    """A signature is kept by what it signs, and what is signed by its signature; an
    explanation does not go round in circles."""
    subject = alice.push_image("alice/app", "1.0")
    signature = alice.push_image(
        "alice/app", layer=b"signed", subject=descriptor(subject, OCI_MANIFEST)
    )
    said = keeper.run("gc", "--explain", digest_of(signature)).stdout.splitlines()
    assert said[2:] == [f"  referrer of {digest_of(subject)}", "    tagged 1.0"]
    said = keeper.run("gc", "--explain", digest_of(subject)).stdout.splitlines()
    assert said[1:3] == ["  tagged 1.0", f"  subject of {digest_of(signature)}"]


@pytest.mark.options(oci_untagged_lifetime=3600)
def test_explain_temporary_content_has_a_time(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """Content that is kept for a time is listed with its end, and unneeded content as
    such."""
    manifest = alice.push_image("alice/app")
    alice.push_blob("alice/app", BLOB)
    now = keeper.run("gc", "--explain", DIGEST).stdout
    assert "spared until" in now
    assert "nothing needs it" in now
    now = keeper.run("gc", "--explain", digest_of(manifest)).stdout
    assert "untagged; kept until" in now
    with later(LONG):
        then = keeper.run("gc", "--explain", DIGEST).stdout
        assert then.splitlines() == ["alice/app", "  nothing needs it"]
        then = keeper.run("gc", "--explain", digest_of(manifest)).stdout
        assert then.splitlines() == ["alice/app", "  untagged"]


def test_explain_unknown_digest_says_so(alice: RegistryClient, keeper: Upkeep) -> None:
    """An unknown digest is said to be unknown, and no digest at all is an error."""
    said = keeper.run("gc", "--explain", UNKNOWN)
    assert said.stdout == f"No repository has {UNKNOWN}.\n"
    assert keeper.run("gc", "--explain", "sha256:abc").exit_code == 1
