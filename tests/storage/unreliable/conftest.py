from __future__ import annotations

import typing as t
import uuid

import pytest
from flask import Flask

from flask_oci.testing.manifests import image
from tests.conftest import MakeApp
from tests.support.faulty_store import FaultyStore
from tests.support.object_stores import azurite
from tests.support.object_stores import Store
from tests.support.object_stores import versitygw
from tests.support.registry_client import RegistryClient

from .content import MIB
from .content import NAME
from .content import SMALL

BUCKETS: t.Final = "flask_oci.storage.buckets"


@pytest.fixture(name="store", scope="module", params=[versitygw, azurite])
def _store(request: pytest.FixtureRequest) -> t.Iterator[Store]:
    with request.param() as store:
        yield store


@pytest.fixture(name="proxy")
def _proxy(store: Store) -> t.Iterator[FaultyStore]:
    with FaultyStore(store.port) as proxy:
        yield proxy


@pytest.fixture(name="app")
def _app(
    store: Store,
    proxy: FaultyStore,
    make_app: MakeApp,
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, float],
) -> Flask:
    """An application that reaches the store through the proxy, and soon gives up.

    The fixture ``limits`` of a module has values of the circuit breaker.
    """
    for name, value in limits.items():
        monkeypatch.setattr(f"{BUCKETS}.circuit_breaker.{name}", value)
    monkeypatch.setattr(f"{BUCKETS}.azure_transport.BACKOFF", 0.01)
    app = make_app(**store.at(proxy.port).config(uuid.uuid4().hex))
    app.extensions["oci"].storage.bucket.part_size = 5 * MIB
    return app


@pytest.fixture(name="alice")
def _alice(app: Flask) -> RegistryClient:
    """Alice, who has pushed an image."""
    client = RegistryClient.of(app, "alice")
    client.push_blob(NAME, SMALL)
    client.push_manifest(NAME, image(config=SMALL), "v1")
    return client
