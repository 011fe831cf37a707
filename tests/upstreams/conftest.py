from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from flask import Flask

from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.transfer.remote import retry
from tests.conftest import MakeApp
from tests.support.host import Authorize
from tests.support.other_registry import OtherRegistry
from tests.support.registry_client import RegistryClient

Serve = Callable[[Flask], int]

IMAGE = image(LAYER)


class Upstreamed:
    """A forge that caches the upstream ``hub``, and the upstream itself."""

    def __init__(self, make_app: MakeApp, serve: Serve) -> None:
        self._make_app = make_app
        self.hub = OtherRegistry()
        self.address = f"http://127.0.0.1:{serve(self.hub.app)}"
        self.hub.push("library/alpine", "3", manifest=IMAGE, blobs=(CONFIG, LAYER))

    def app(self, authorize: Authorize | None = None, **settings: object) -> Flask:
        """Return the forge, with more settings of the upstream."""
        known = {
            "address": self.address,
            "networks": ["127.0.0.0/8"],
            "timeout": 5,
            **settings,
        }
        return self._make_app(authorize, OCI_UPSTREAMS={"hub": known})

    def client(self, **settings: object) -> RegistryClient:
        """Return alice's client of the forge, with more settings of the upstream."""
        return RegistryClient.of(self.app(None, **settings), "alice")

    def settle(self) -> None:
        """Wait until every download has ended."""
        for thread in threading.enumerate():
            if thread.name == "oci-fetch":
                thread.join(30)

    def heads(self) -> int:
        """Return the number of HEAD requests for manifests at the upstream."""
        return self.hub.count("HEAD", "/manifests/")

    def gets(self) -> int:
        """Return the number of GET requests for manifests at the upstream."""
        return self.hub.count("GET", "/manifests/")

    def blobs(self) -> int:
        """Return the number of requests for blobs at the upstream."""
        return self.hub.count("GET", "/blobs/")


@pytest.fixture(name="up")
def _up(make_app: MakeApp, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Upstreamed:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    return Upstreamed(make_app, serve)


def age(app: Flask, **by: float) -> None:
    """Make every check of an upstream older."""
    from datetime import timedelta

    import sqlalchemy as sa

    from tests.support.host import db
    from tests.support.host import registry

    Check = registry.models.UpstreamCheck
    with app.app_context():
        checks = db.session.scalars(sa.select(Check)).all()
        for check in checks:
            check.checked_at -= timedelta(**by)
        db.session.commit()
