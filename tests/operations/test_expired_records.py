"""Records that expire: tag moves and tokens. Tokens of clients are listed apart."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.clock import utcnow
from flask_oci.operations.gc import MAX_MOVES
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.requests import basic
from tests.support.credentials import user_named
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.upkeep import Upkeep
from tests.support.visitor import Visitor

NAME = "alice/app"


def add_moves(app: Flask, count: int, age: timedelta) -> None:
    """Add moves of one tag."""
    with app.app_context():
        key = registry.repositories.find(NAME).key
        db.session.execute(
            sa.insert(registry.models.TagMove),
            [
                {
                    "repository_id": key,
                    "name": "moved",
                    "to_digest": digest_of(b"%d" % number),
                    "moved_at": utcnow() - age,
                }
                for number in range(count)
            ],
        )
        db.session.commit()


@pytest.mark.options(oci_history_lifetime=timedelta(days=90))
def test_gc_deletes_old_tag_moves(app: Flask, alice: RegistryClient) -> None:
    """Only moves that are older than the lifetime are deleted; a dry run keeps all."""
    alice.push_image(NAME, "1.0")
    keeper = Upkeep(app)
    add_moves(app, 600, timedelta(days=91))
    add_moves(app, 5, timedelta(days=89))
    keeper.gc("--dry-run")
    assert keeper.rows("TagMove") == 606
    keeper.gc()
    assert keeper.rows("TagMove") == 6


def test_gc_keeps_latest_tag_moves(app: Flask, alice: RegistryClient) -> None:
    """The number of older moves is bounded. The move of the push can be undone, and is
    kept although it precedes the others."""
    alice.push_image(NAME, "1.0")
    keeper = Upkeep(app)
    add_moves(app, 20, timedelta(days=8))
    add_moves(app, MAX_MOVES, timedelta(days=1))
    keeper.gc()
    assert keeper.rows("TagMove") == MAX_MOVES + 1


def test_gc_deletes_expired_tokens(app: Flask, alice: RegistryClient) -> None:
    """Expired access tokens are deleted with the tokens that were issued with them."""
    with app.test_request_context():
        user = user_named("alice")
        kept = registry.access_tokens.issue(user)
        expired = registry.access_tokens.issue(user, expires=timedelta(days=1))
    client = RegistryClient(app, basic("alice", expired.secret))
    client.get("/v2/token", query={"offline_token": "true"})
    keeper = Upkeep(app)
    Credential = registry.models.Credential
    keeper.execute(
        sa.update(Credential)
        .where(Credential.id == expired.id)
        .values(expires_at=utcnow() - timedelta(seconds=1))
    )
    assert keeper.rows("Credential") == 3
    keeper.gc()
    with app.app_context():
        assert list(db.session.scalars(sa.select(Credential.id))) == [kept.id]


def test_tokens_of_clients_are_listed_apart(app: Flask, alice: RegistryClient) -> None:
    """Many logins do not hide the access tokens of a user."""
    with app.test_request_context():
        secret = registry.access_tokens.issue(user_named("alice"), name="mine").secret
    client = RegistryClient(app, basic("alice", secret))
    for _ in range(30):
        client.get("/v2/token", query={"offline_token": "true"})
    visitor = Visitor(app, "alice")
    assert "mine" in visitor.get("/images/-/tokens").text
    assert (
        "docker login"
        not in visitor.get("/images/-/tokens").text.partition("Your tokens")[2]
    )
    stored = list(visitor.pages("/images/-/tokens?kind=refresh"))
    assert [page.text.count("stored by a client") for page in stored] == [25, 5]
    rest = RestClient(alice)
    assert len(rest.items("/tokens?kind=access")) == 1
    assert len(rest.items("/tokens?kind=refresh")) == 30
    assert rest.send("GET", "/tokens?kind=other").status_code == 400
    listed = Upkeep(app).run("token", "list", "alice").stdout.splitlines()
    assert listed[1].split()[1] == "access"
    only = Upkeep(app).run("token", "list", "alice", "--kind", "access").stdout
    assert len(only.splitlines()) == 2
