"""Nested indexes, deeper than any client builds them."""

from __future__ import annotations

import inspect
import sys
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_INDEX
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.host import registry
from tests.support.registry_client import RegistryClient

#: How many floors it has, and how many calls may be inside each other below it.
FLOORS = 120
CALLS = 100


def collect(app: Flask, after: timedelta) -> int:
    """Run a garbage collection at a later time, and return the number of deleted
    manifests. An algorithm that recurses once for each level fails."""
    before = sys.getrecursionlimit()
    with app.app_context(), time_machine.travel(utcnow() + after, tick=False):
        sys.setrecursionlimit(len(inspect.stack()) + CALLS)
        try:
            return len(registry.collect_garbage().manifests)
        finally:
            sys.setrecursionlimit(before)


@pytest.fixture(name="tower")
def _tower(alice: RegistryClient) -> bytes:
    """The topmost of many indexes, each of the one below it, with an image at the
    bottom."""
    below, kind = alice.push_image("alice/app"), OCI_MANIFEST
    for _ in range(FLOORS):
        top = index(descriptor(below, kind))
        alice.push_manifest("alice/app", top)
        below, kind = top, OCI_INDEX
    return below


@pytest.mark.options(oci_untagged_lifetime=1, oci_grace_period=1, oci_undo_period=None)
def test_nested_indexes_are_kept_and_deleted_with_their_tag(
    alice: RegistryClient, tower: bytes
) -> None:
    """All nested indexes are kept while the outermost one has a tag, and are deleted
    without it."""
    alice.push_manifest("alice/app", tower, "v1")
    path = f"/v2/alice/app/blobs/{digest_of(LAYER)}"
    assert collect(alice.app, timedelta(days=1)) == 0
    assert alice.get(path).data == LAYER
    assert alice.delete("/v2/alice/app/manifests/v1").status_code == 202
    assert collect(alice.app, timedelta(days=2)) == FLOORS + 1
    # Its blobs are deleted one grace period later.
    assert alice.get(path).data == LAYER
    assert collect(alice.app, timedelta(days=3)) == 0
    assert alice.get(path).status_code == 404
