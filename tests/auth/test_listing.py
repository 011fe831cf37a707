"""Lists of repositories: the SQL condition of the host."""

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
    """Return a function that replaces the list filter for one test."""
    yield registry.list_filter
    registry._hooks.list_filter = None


@pytest.fixture(name="images", autouse=True)
def _images(alice: RegistryClient, bob: RegistryClient) -> tuple[str, ...]:
    """The repositories of these tests."""
    for client, name in ((alice, "alice/app"), (alice, "alice/web"), (bob, "bob/app")):
        client.push_image(name, "v1")
    return ("alice/app", "alice/web", "bob/app")


def listed(client: RegistryClient) -> list[str]:
    """Return the list of repositories for a user."""
    found: list[str] = client.get("/v2/_catalog").get_json()["repositories"]
    return found


def test_list_with_filter_costs_one_statement(
    alice: RegistryClient, set_listing: t.Callable[[Listing], Listing]
) -> None:
    """The registry does not call ``authorize`` for each of the repositories."""
    asked = []

    def authorize(user: t.Any, action: str, repository: RepositoryInfo) -> bool:
        asked.append(repository.name)
        return False

    set_policy(authorize)
    set_listing(lambda user: Name.in_(["alice/web", "bob/app"]))
    assert listed(alice) == ["alice/web", "bob/app"]
    assert not asked


def test_list_with_filter_respects_limits_of_token(
    app: Flask, set_listing: t.Callable[[Listing], Listing]
) -> None:
    """The condition of the host does not include the limits of a token."""
    set_listing(lambda user: sa.true())
    token = by_access_token(app, "alice", repositories=["*/app"], actions=["pull"])
    assert listed(token) == ["alice/app", "bob/app"]
    pages = [*token.pages("/v2/_catalog?n=1", "repositories")]
    assert [name for page in pages for name in page] == ["alice/app", "bob/app"]


def test_list_filter_returning_none_asks_authorize(
    alice: RegistryClient,
    bob: RegistryClient,
    set_listing: t.Callable[[Listing], Listing],
) -> None:
    """The registry calls ``authorize`` for each repository."""
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
def test_path_filter_covers_names_below_the_path(
    alice: RegistryClient,
    set_listing: t.Callable[[Listing], Listing],
    path: str,
    found: list[str],
) -> None:
    """A path ends at a component and has no wildcards."""
    alice.push_image("alice/app-2", "v1")
    alice.push_image("alice/web/worker", "v1")
    set_listing(lambda user: registry.path_filter(path))
    more = {"alice": ["alice/app-2", "alice/web/worker"]}
    assert listed(alice) == sorted(found + more.get(path, []))


def test_path_filter_with_column_covers_names_below_it(
    alice: RegistryClient, set_listing: t.Callable[[Listing], Listing]
) -> None:
    """A path may be a column of the host, with any collation."""
    alice.push_image("alice/app-2", "v1")
    alice.push_image("alice/app/worker", "v1")
    path = registry.path_filter(User.username + "/app")
    set_listing(lambda user: sa.exists().where(path))
    assert listed(alice) == ["alice/app", "alice/app/worker", "bob/app"]
    set_listing(lambda user: sa.exists().where(path, User.id == user.id))
    assert listed(alice) == ["alice/app", "alice/app/worker"]


def test_is_allowed_on_page_decides_like_the_protocol(
    app: Flask, alice: RegistryClient
) -> None:
    """A page of the host gets the decision that docker gets, with its reason."""
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
        # A user whose account is disabled is refused before that.
        assert not registry.is_allowed(user_named("carol"), "push", image)


def test_refusal_because_of_token_names_the_token(app: Flask) -> None:
    """Only users who may do more without the token see that message."""
    token = by_access_token(app, "alice", repositories=["alice/app"], actions=["pull"])
    refused = token.post("/v2/alice/app/blobs/uploads/")
    assert refusal(refused) == (403, "DENIED")
    assert "with this access token" in errors(refused)[0]["message"]
    hidden = token.get("/v2/alice/web/tags/list")
    absent = token.get("/v2/alice/absent/tags/list")
    assert refusal(hidden) == refusal(absent) == (404, "NAME_UNKNOWN")
    messages = [errors(response)[0]["message"] for response in (hidden, absent)]
    assert messages[0] == messages[1]
    assert "visible to this access token" in messages[0]
    whole = by_access_token(app, "bob")
    refused = whole.post("/v2/alice/app/blobs/uploads/")
    assert "ask the owner" in errors(refused)[0]["message"]
