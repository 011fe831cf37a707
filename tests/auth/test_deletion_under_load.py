"""Users who are deleted while their clients push, on a database server."""

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.requests import basic
from flask_oci.testing.requests import with_query
from tests.conftest import MakeApp
from tests.support.host import Administrator
from tests.support.host import DATABASE_URL
from tests.support.host import db
from tests.support.host import User
from tests.support.registry_client import RegistryClient

pytestmark = pytest.mark.skipif(
    DATABASE_URL is None, reason="SQLite has one lock, which excludes a deadlock"
)

USERS = 8
CLIENTS = 2
SHARED = "shared/app"


class Pusher:
    """A client that pushes until its user is deleted."""

    def __init__(self, app: Flask, username: str, number: int) -> None:
        self._client = RegistryClient(app, basic(username, username))
        self._names = (f"{username}/app", SHARED, f"{username}/new-{number}")
        self._number = number
        self.has_pushed = threading.Event()

    def run(self) -> list[int]:
        """Push, and return the statuses that are not 2xx."""
        refused: list[int] = []
        for round_ in range(200):
            for name in self._names:
                refused += [s for s in self._push(name, round_) if s >= 300]
            self.has_pushed.set()
            if 401 in refused:
                break
        self.has_pushed.set()
        return refused

    def _push(self, name: str, round_: int) -> t.Iterator[int]:
        layer = f"{name} {self._number} {round_}".encode()
        for content in (layer, b"{}"):
            digest = digest_of(content)
            started = self._client.post(f"/v2/{name}/blobs/uploads/")
            yield started.status_code
            if started.status_code != 202:
                return
            location = with_query(started.headers["Location"], digest=digest)
            yield self._client.put(location, content).status_code
        yield self._client.put(
            f"/v2/{name}/manifests/tag{self._number}",
            image(layer, config=b"{}"),
            headers={"Content-Type": OCI_MANIFEST},
        ).status_code


def test_deletion_of_pushing_users_never_fails(make_app: MakeApp) -> None:
    """Every deletion succeeds at the first attempt, and every client gets 401."""
    app = make_app(
        SQLALCHEMY_ENGINE_OPTIONS={"pool_size": 2 * USERS * CLIENTS},
        authorize=lambda user, *_: user is not None,
    )
    names = [f"user{number}" for number in range(USERS)]
    with app.app_context():
        db.session.execute(
            sa.insert(User),
            [{"username": n, "password": n, "is_active": True} for n in names],
        )
        db.session.commit()
    pushers = [Pusher(app, name, number) for name in names for number in range(CLIENTS)]
    with ThreadPoolExecutor(len(pushers)) as pool:
        pushing = [pool.submit(pusher.run) for pusher in pushers]
        for pusher in pushers:
            assert pusher.has_pushed.wait(60)
        try:
            for name in names:
                Administrator(app).delete_user(name)
        finally:
            refused = [push.result() for push in pushing]
    assert all(401 in statuses for statuses in refused)
    assert all(status < 500 for statuses in refused for status in statuses)
