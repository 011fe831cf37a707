"""Several applications, or several registries, in one process."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from flask import Flask

from tests.support.registry_client import RegistryClient

from .application import database
from .application import Host
from .application import StandardUser
from .application import with_registry
from .application import with_users
from .docker import Docker
from .docker import tell_story


def another(folder: Path, **config: t.Any) -> Host:
    """Create an application with its own database and registry."""
    db = database()

    class User(StandardUser, db.Model):
        pass

    return Host(folder, db, User, **config)


@pytest.fixture(name="two")
def _two(tmp_path: Path) -> t.Iterator[tuple[Host, Host]]:
    hosts = [another(tmp_path / n, OCI_SERVICE=n) for n in ("one", "two")]
    yield hosts[0], hosts[1]
    for host in hosts:
        host.close()


@pytest.mark.shape("Two applications with two registries")
def test_two_registries_share_nothing(two: tuple[Host, Host]) -> None:
    """Content and tokens of one are unknown to the other."""
    one, other = two
    Docker(one.app, "alice").push("alice/app", "v1")
    alice = Docker(other.app, "alice")
    assert alice.request("GET", "/v2/alice/app/tags/list").status_code == 404
    tell_story(other.app)
    tell_story(one.app)
    bearer = RegistryClient.of(one.app, "alice").bearer()
    assert bearer.get("/v2/").status_code == 200
    assert (
        RegistryClient(other.app, bearer.authorization).get("/v2/").status_code == 401
    )


@pytest.mark.shape("One registry on two applications")
def test_one_registry_on_two_applications_shares_content(
    plain: Flask, database_url: str
) -> None:
    """The applications share users, database and files, so an image pushed to one can
    be pulled from the other."""
    site = with_registry(plain)
    api = with_users(Flask("api", instance_path=plain.instance_path), database_url)
    with_registry(api)
    tell_story(site)
    tell_story(api)
    manifest = Docker(site, "alice").push("alice/app", "v1")
    assert Docker(api, "alice").pull("alice/app", "v1") == manifest


@pytest.mark.shape("Two registries on one application")
def test_second_registry_on_one_application_is_refused(two: tuple[Host, Host]) -> None:
    """An application has only one /v2."""
    one, other = two
    with pytest.raises(RuntimeError, match="can have only one"):
        one.app.register_blueprint(other.registry.blueprint, name="second")
