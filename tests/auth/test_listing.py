"""What a host says in SQL about who may pull what."""

from __future__ import annotations

import typing as t

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci import Denied
from flask_oci import RepositoryInfo
from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from tests.support.credentials import by_access_token
from tests.support.credentials import user_named
from tests.support.host import registry
from tests.support.host import set_policy
from tests.support.host import User
from tests.support.registry_client import RegistryClient

Listing = t.Callable[[t.Any], t.Any]
Name = registry.models.Repository.name


@pytest.fixture(name="set_listing")
def _set_listing() -> t.Iterator[t.Callable[[Listing], Listing]]:
    """Return a function that has the registry ask another one, for one test."""
    yield registry.list_filter
    registry._hooks.list_filter = None


@pytest.fixture(name="images", autouse=True)
def _images(alice: RegistryClient, bob: RegistryClient) -> tuple[str, ...]:
    """What there is to list."""
    for client, name in ((alice, "alice/app"), (alice, "alice/web"), (bob, "bob/app")):
        client.push_image(name, "v1")
    return ("alice/app", "alice/web", "bob/app")


def listed(client: RegistryClient) -> list[str]:
    """Return the list of repositories that somebody is shown."""
    found: list[str] = client.get("/v2/_catalog").get_json()["repositories"]
    return found


def test_the_list_is_what_the_condition_finds(
    alice: RegistryClient, set_listing: t.Callable[[Listing], Listing]
) -> None:
    """Nothing else is asked about each of the many that there may be."""
    asked = []

    def authorize(user: t.Any, action: str, repository: RepositoryInfo) -> bool:
        asked.append(repository.name)
        return False

    set_policy(authorize)
    set_listing(lambda user: Name.in_(["alice/web", "bob/app"]))
    assert listed(alice) == ["alice/web", "bob/app"]
    assert not asked


def test_a_limited_token_lists_no_more_than_it_reaches(
    app: Flask, set_listing: t.Callable[[Listing], Listing]
) -> None:
    """What a token is limited to is no part of the host's condition."""
    set_listing(lambda user: sa.true())
    token = by_access_token(app, "alice", repositories=["*/app"], actions=["pull"])
    assert listed(token) == ["alice/app", "bob/app"]
    pages = [*token.pages("/v2/_catalog?n=1", "repositories")]
    assert [name for page in pages for name in page] == ["alice/app", "bob/app"]


def test_a_host_may_have_no_condition_for_some(
    alice: RegistryClient,
    bob: RegistryClient,
    set_listing: t.Callable[[Listing], Listing],
) -> None:
    """The host's other function is asked about each repository then."""
    set_policy(lambda user, action, repository: repository.name == "alice/web")
    set_listing(lambda user: None if user.username == "bob" else sa.false())
    assert listed(bob) == ["alice/web"]
    assert listed(alice) == []


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("alice", ["alice/app", "alice/web"]),
        ("alice/app", ["alice/app"]),
        ("alice/ap", []),
        ("a_ice", []),
        ("%", []),
        ("", []),
    ],
)
def test_what_is_below_a_path(
    alice: RegistryClient,
    set_listing: t.Callable[[Listing], Listing],
    path: str,
    found: list[str],
) -> None:
    """A path ends where a component does, and has no wildcards."""
    alice.push_image("alice/app-2", "v1")
    alice.push_image("alice/web/worker", "v1")
    set_listing(lambda user: registry.path_filter(path))
    more = {"alice": ["alice/app-2", "alice/web/worker"]}
    assert listed(alice) == sorted(found + more.get(path, []))


def test_what_is_below_a_path_of_the_hosts_own(
    alice: RegistryClient, set_listing: t.Callable[[Listing], Listing]
) -> None:
    """A path may come from the host's tables, whatever language those are in."""
    alice.push_image("alice/app-2", "v1")
    alice.push_image("alice/app/worker", "v1")
    path = registry.path_filter(User.username + "/app")
    set_listing(lambda user: sa.exists().where(path))
    assert listed(alice) == ["alice/app", "alice/app/worker", "bob/app"]
    set_listing(lambda user: sa.exists().where(path, User.id == user.id))
    assert listed(alice) == ["alice/app", "alice/app/worker"]


def test_a_page_asks_the_one_question(app: Flask, alice: RegistryClient) -> None:
    """A host's own pages get the answer that docker gets, with the reason for it."""
    with app.app_context():
        image = registry.repositories.find("alice/app")
        for name, may in (("alice", True), ("bob", False), ("carol", False)):
            assert registry.is_allowed(user_named(name), "push", image) is may
        assert not registry.is_allowed(None, "pull", image)

        def authorize(user: t.Any, action: str, repository: RepositoryInfo) -> bool:
            raise Denied("The archive is closed.")

        set_policy(authorize)
        with pytest.raises(Denied, match="The archive is closed"):
            registry.is_allowed(user_named("alice"), "push", image)
        # Somebody whose account is not active is refused before that.
        assert not registry.is_allowed(user_named("carol"), "push", image)


def test_a_token_says_that_it_is_in_the_way(app: Flask) -> None:
    """Whoever may do more without it is told what to change, and strangers are not."""
    token = by_access_token(app, "alice", repositories=["alice/app"], actions=["pull"])
    refused = token.post("/v2/alice/app/blobs/uploads/")
    assert refusal(refused) == (403, "DENIED")
    assert "with this access token" in errors(refused)[0]["message"]
    hidden = token.get("/v2/alice/web/tags/list")
    absent = token.get("/v2/alice/absent/tags/list")
    assert refusal(hidden) == refusal(absent) == (404, "NAME_UNKNOWN")
    messages = [errors(response)[0]["message"] for response in (hidden, absent)]
    assert messages[0] == messages[1]
    assert "that this access token sees" in messages[0]
    whole = by_access_token(app, "bob")
    refused = whole.post("/v2/alice/app/blobs/uploads/")
    assert "ask the owner" in errors(refused)[0]["message"]
