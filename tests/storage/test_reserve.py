"""A disk that is almost full, and a database that cannot be written: pulls, deletions
and the collection continue."""

from __future__ import annotations

import logging
import typing as t
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.requests import basic
from tests.conftest import MakeApp
from tests.support.credentials import user_named
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep

NAME = "alice/app"
UPLOADS = f"/v2/{NAME}/blobs/uploads/"
DIGEST = digest_of(image(LAYER))

#: The statements that make the sessions of each database read-only, and writable.
READ_ONLY = {
    "sqlite": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
    "postgresql": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    ),
    "mysql": (
        "SET SESSION TRANSACTION READ ONLY",
        "SET SESSION TRANSACTION READ WRITE",
    ),
}
READ_ONLY["mariadb"] = READ_ONLY["mysql"]


@contextmanager
def read_only(app: Flask) -> t.Iterator[None]:
    """Let the database refuse all writes."""
    with app.app_context():
        engine = db.engine
    before, after = READ_ONLY[engine.dialect.name]

    def execute(driver: t.Any, statement: str) -> None:
        cursor = driver.cursor()
        cursor.execute(statement)
        cursor.close()
        if engine.dialect.name != "sqlite":
            driver.commit()

    def check_out(driver: t.Any, *_: object) -> None:
        execute(driver, before)

    def check_in(driver: t.Any, *_: object) -> None:
        execute(driver, after)

    sa.event.listen(engine, "checkout", check_out)
    sa.event.listen(engine, "checkin", check_in)
    try:
        yield
    finally:
        sa.event.remove(engine, "checkout", check_out)
        sa.event.remove(engine, "checkin", check_in)


def age_leases(keeper: Upkeep) -> None:
    """Let all leases be old, so that the next HEAD renews them."""
    old = utcnow() - timedelta(days=9)
    keeper.execute(sa.update(registry.models.RepositoryBlob).values(leased_at=old))
    keeper.execute(sa.update(registry.models.Manifest).values(touched_at=old))


@pytest.mark.options(oci_events=["*"])
def test_read_only_database_serves_pulls(
    app: Flask, alice: RegistryClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Uses of tokens and content are not recorded, the log says so once, and pulls
    continue. Pushes get 503."""
    alice.push_image(NAME, "1.0", layer=LAYER)
    unused = alice.push_blob(NAME, b"no manifest needs it")
    with app.test_request_context():
        secret = registry.access_tokens.issue(user_named("alice")).secret
    age_leases(Upkeep(app))
    client = RegistryClient(app, basic("alice", secret))
    with read_only(app), caplog.at_level(logging.ERROR):
        for _ in range(2):
            for method in ("HEAD", "GET"):
                for reference in ("1.0", DIGEST):
                    path = f"/v2/{NAME}/manifests/{reference}"
                    assert client.request(method, path).status_code == 200
                path = f"/v2/{NAME}/blobs/{digest_of(LAYER)}"
                assert client.request(method, path).status_code == 200
        messages = [r.message for r in caplog.records if "does not record" in r.message]
        assert len(messages) == 1
        # The collection could delete this blob before its client pushes a manifest.
        assert client.head(f"/v2/{NAME}/blobs/{unused}").status_code == 503
        assert refusal(client.post(UPLOADS)) == (503, "UNAVAILABLE")
    assert client.post(UPLOADS).status_code == 202


def test_read_only_database_issues_tokens_for_pulls(
    app: Flask, alice: RegistryClient
) -> None:
    """A refresh token cannot be stored, and docker uses the password instead. An
    existing refresh token is still valid."""
    alice.push_image(NAME, "1.0", layer=LAYER)
    login = {
        "grant_type": "password",
        "service": "forge",
        "username": "alice",
        "password": "wonderland",
        "access_type": "offline",
        "scope": f"repository:{NAME}:pull",
    }
    query = {"service": "forge", "offline_token": "true", "scope": login["scope"]}
    client = app.test_client()
    stored = client.post("/v2/token", data=login).get_json()["refresh_token"]
    refresh = {**login, "grant_type": "refresh_token", "refresh_token": stored}
    with read_only(app):
        answers = [
            client.post("/v2/token", data=login),
            alice.get("/v2/token", query=query),
            client.post("/v2/token", data=refresh),
        ]
        for answer in answers:
            assert answer.status_code == 200
            assert "refresh_token" not in answer.get_json()
            bearer = {"Authorization": f"Bearer {answer.get_json()['token']}"}
            pulled = client.get(f"/v2/{NAME}/manifests/1.0", headers=bearer)
            assert pulled.status_code == 200


def test_push_below_reserve_is_refused_and_rest_continues(make_app: MakeApp) -> None:
    """Every part of a push gets 503. Pulls, deletions and the collection continue."""
    alice = RegistryClient.of(make_app(), "alice")
    alice.push_image(NAME, "1.0", layer=LAYER)
    alice.push_image(NAME, "2.0", layer=b"another")
    session = alice.start_upload(NAME)
    app = make_app(OCI_STORAGE_RESERVE=10**18, OCI_GRACE_PERIOD=1)
    alice, body = RegistryClient.of(app, "alice"), image(LAYER, number=3)
    for response in (
        alice.post(UPLOADS),
        alice.post(UPLOADS, b"x", query={"digest": digest_of(b"x")}),
        alice.patch(session, b"x"),
        alice.put(
            f"/v2/{NAME}/manifests/3.0", body, headers={"Content-Type": OCI_MANIFEST}
        ),
    ):
        assert refusal(response) == (503, "UNAVAILABLE")
        assert "almost full" in response.get_json()["errors"][0]["message"]
        assert response.headers["Retry-After"] == "60"
    assert alice.get(f"/v2/{NAME}/manifests/1.0").status_code == 200
    assert alice.delete(f"/v2/{NAME}/manifests/{DIGEST}").status_code == 202
    age_leases(Upkeep(app))
    old = utcnow() - timedelta(days=9)
    Upkeep(app).execute(sa.update(registry.models.Blob).values(unlinked_at=old))
    assert digest_of(LAYER) in Upkeep(app).gc()["blobs"]
    with app.app_context():
        health = registry.health()
    assert health.ok
    assert str(health.space).startswith("Pushes are refused")


@pytest.mark.options(oci_metrics=True, oci_storage_reserve=4096)
def test_metrics_show_reserve(app: Flask, alice: RegistryClient) -> None:
    """A monitor can compare the free space with the reserve."""
    alice.push_blob(NAME, b"x")
    with app.app_context():
        assert "oci_storage_reserve_bytes 4096.0" in registry.metrics().get_data(
            as_text=True
        )
