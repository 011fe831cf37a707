"""Renames into the namespace of another user, who then owns the result."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from flask_oci.testing.answers import refusal
from tests.support.credentials import user_named
from tests.support.host import registry
from tests.support.host import set_policy
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.visitor import Visitor

OLD, NEW = "alice/tool", "bob/project/app"

Rename = t.Callable[[Flask], object]

#: The ways in which alice moves her image into bob's project.
RENAMES: dict[str, Rename] = {
    "rest": lambda app: RestClient.of(app, "alice").done(
        "PATCH", f"/repositories/{OLD}", {"name": NEW}
    ),
    "page": lambda app: Visitor(app, "alice").send(
        f"/images/{OLD}/-/settings/name", name=NEW, confirmed="yes"
    ),
    "python": lambda app: in_python(app, by="alice"),
    "python-anonymous": lambda app: in_python(app),
    "command": lambda app: FlaskCliRunner(app).invoke(
        args=["oci", "rename", OLD, NEW], catch_exceptions=False
    ),
}


def in_python(app: Flask, by: str | None = None) -> None:
    """Rename the image, as a page of the host does."""
    with app.app_context():
        user = by and user_named(by)
        registry.repositories.rename(OLD, NEW, by=user, recursive=False)


@pytest.fixture(name="writers")
def _writers(app: Flask) -> set[str]:
    """The names of the users who may push to bob's project."""
    writers = {"alice"}

    def authorize(user: t.Any, action: str, repository: t.Any) -> bool:
        if registry.default_policy(user, action, repository):
            return True
        return (
            user is not None
            and user.username in writers
            and repository.name.startswith("bob/project/")
            and action in ("pull", "push")
        )

    set_policy(authorize)
    return writers


def owner_of(app: Flask, name: str) -> int | None:
    """Return the key of the owner of a repository."""
    with app.app_context():
        found: int | None = registry.repositories.find(name).owner_id
        return found


def key(app: Flask, username: str) -> int:
    """Return the key of a user."""
    with app.app_context():
        found: int = user_named(username).id
        return found


@pytest.mark.parametrize("way", RENAMES)
def test_rename_into_namespace_of_user_makes_that_user_the_owner(
    app: Flask, alice: RegistryClient, writers: set[str], way: str
) -> None:
    """The result is as after a first push there: private, of the namespace's user, and
    without rules of the former owner."""
    alice.push_image(OLD, "v1")
    with app.app_context():
        registry.repositories.set_visibility(OLD, "public")
        registry.retention.set(["delete *"], repository=OLD)
        registry.tag_protection.set(repository=OLD, immutable=["*"])
    RENAMES[way](app)
    with app.app_context():
        found = registry.repositories.find(NEW)
        assert found.owner_id == user_named("bob").id
        assert found.visibility == "private"
        assert registry.retention.get(repository=NEW) == ()
        assert not registry.tag_protection.get(repository=NEW).immutable
    writers.clear()
    bob, rest = RegistryClient.of(app, "bob"), RestClient.of(app, "alice")
    bob.push_image(NEW, "v1", b"a layer of bob's")
    assert refusal(alice.get(f"/v2/{NEW}/manifests/v1")) == (404, "NAME_UNKNOWN")
    for change in ({"visibility": "public"}, {"name": "alice/back"}):
        answer = rest.send("PATCH", f"/repositories/{NEW}", change)
        assert answer.status_code == 404


@pytest.mark.parametrize("owner", ["alice", "carol"])
def test_rename_by_writer_to_chosen_owner_is_refused(
    app: Flask, alice: RegistryClient, writers: set[str], admin: t.Any, owner: str
) -> None:
    """A writer may not choose the owner of an image in bob's namespace."""
    admin.change_user("carol", is_active=True)
    alice.push_image(OLD, "v1")
    answer = RestClient.of(app, "alice").send(
        "PATCH", f"/repositories/{OLD}", {"name": NEW, "owner": owner}
    )
    assert refusal(answer) == (403, "DENIED")
    assert owner_of(app, OLD) == key(app, "alice")


def test_rename_by_writer_cannot_publish_the_result(
    app: Flask, alice: RegistryClient, writers: set[str]
) -> None:
    """A visibility in the same request does not apply to bob's image."""
    alice.push_image(OLD, "v1")
    changed = RestClient.of(app, "alice").done(
        "PATCH", f"/repositories/{OLD}", {"name": NEW, "visibility": "public"}
    )
    assert (changed["owner"], changed["visibility"]) == ("bob", "private")


def test_rename_by_writer_with_owner_cannot_publish_the_result(
    app: Flask, alice: RegistryClient, writers: set[str]
) -> None:
    """Naming bob as the owner changes nothing: he becomes the owner in any case."""
    alice.push_image(OLD, "v1")
    with app.app_context():
        registry.repositories.set_visibility(OLD, "public")
        registry.tag_protection.set(repository=OLD, immutable=["*"])
    changed = RestClient.of(app, "alice").done(
        "PATCH",
        f"/repositories/{OLD}",
        {"name": NEW, "owner": "bob", "visibility": "public"},
    )
    assert (changed["owner"], changed["visibility"]) == ("bob", "private")
    with app.app_context():
        assert not registry.tag_protection.get(repository=NEW).immutable


@pytest.mark.parametrize("way", ["rest", "page", "python"])
def test_rename_after_transfer_cannot_publish_the_result(
    app: Flask, alice: RegistryClient, way: str
) -> None:
    """By the policy of the host, alice manages her namespace, also what she has given
    to bob. She cannot move it into his namespace as a public image."""
    set_policy(
        lambda user, action, repository: (
            user is not None
            and (
                user.username == repository.namespace
                or (action in ("pull", "push") and repository.name == NEW)
            )
        )
    )
    alice.push_image(OLD, "v1")
    with app.app_context():
        registry.repositories.set_visibility(OLD, "public")
        registry.tag_protection.set(repository=OLD, immutable=["*"])
        registry.repositories.transfer(OLD, user_named("bob"))
    RENAMES[way](app)
    with app.app_context():
        assert registry.repositories.find(NEW).visibility == "private"
        assert not registry.tag_protection.get(repository=NEW).immutable


def test_rename_of_managed_image_to_chosen_owner_is_refused(
    app: Flask, alice: RegistryClient, bob: RegistryClient, admin: t.Any
) -> None:
    """Alice manages an image of bob. She cannot move it into his namespace as an image
    of carol."""
    admin.change_user("carol", is_active=True)
    set_policy(lambda user, action, repository: user is not None)
    bob.push_image("team/app", "v1")
    answer = RestClient.of(app, "alice").send(
        "PATCH", "/repositories/team/app", {"name": NEW, "owner": "carol"}
    )
    assert refusal(answer) == (403, "DENIED")


@pytest.mark.parametrize("way", ["rest", "page"])
def test_rename_beyond_quota_of_new_owner_is_refused(
    app: Flask, alice: RegistryClient, writers: set[str], way: str
) -> None:
    """Bob's quota has no room for the image."""
    alice.push_image(OLD, "v1")
    with app.app_context():
        registry.quotas.set(owner=user_named("bob"), images=0)
    if way == "rest":
        answer = RestClient.of(app, "alice").send(
            "PATCH", f"/repositories/{OLD}", {"name": NEW}
        )
        assert answer.status_code == 422
    else:
        page = Visitor(app, "alice").send(
            f"/images/{OLD}/-/settings/name", name=NEW, confirmed="yes"
        )
        assert "exceeds the quota of bob" in page.text
    assert owner_of(app, OLD) == key(app, "alice")


@pytest.mark.parametrize("way", ["rest", "python"])
def test_name_in_namespace_of_other_user_leaves_no_alias(
    app: Flask, alice: RegistryClient, bob: RegistryClient, way: str
) -> None:
    """Bob once transferred an image to alice, who takes it away. Its name in bob's
    namespace serves nothing then."""
    bob.push_image("bob/app", "v1")
    with app.app_context():
        alice_ = user_named("alice")
        registry.repositories.transfer("bob/app", alice_)
        registry.repositories.set_visibility("bob/app", "public")
        if way == "python":
            registry.repositories.rename("bob/app", "alice/app", by=alice_)
    if way == "rest":
        RestClient.of(app, "alice").done(
            "PATCH", "/repositories/bob/app", {"name": "alice/app"}
        )
    assert alice.get("/v2/alice/app/manifests/v1").status_code == 200
    assert refusal(bob.get("/v2/bob/app/manifests/v1")) == (404, "NAME_UNKNOWN")


def test_image_that_manager_takes_away_leaves_no_alias(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """Alice manages an image of bob and moves it into her namespace. Its old name does
    not serve what she pushes to it later."""
    set_policy(lambda user, action, repository: user is not None)
    bob.push_image("bob/app", "v1")
    RestClient.of(app, "alice").done(
        "PATCH", "/repositories/bob/app", {"name": "alice/app"}
    )
    assert owner_of(app, "alice/app") == key(app, "alice")
    assert refusal(bob.get("/v2/bob/app/manifests/v1")) == (404, "NAME_UNKNOWN")


@pytest.mark.parametrize(
    "second", [{"name": "alice/app"}, {"owner": "alice"}], ids=["rename", "transfer"]
)
def test_image_that_manager_takes_away_in_two_steps_leaves_no_alias(
    app: Flask, alice: RegistryClient, bob: RegistryClient, second: dict[str, str]
) -> None:
    """Alice moves an image of bob to a namespace of no user, where it is still his, and
    takes it then. Its first name does not serve what she pushes to it later."""
    set_policy(lambda user, action, repository: user is not None)
    bob.push_image("bob/app", "v1")
    rest = RestClient.of(app, "alice")
    rest.done("PATCH", "/repositories/bob/app", {"name": "team/app"})
    assert bob.get("/v2/bob/app/manifests/v1").status_code == 200
    rest.done("PATCH", "/repositories/team/app", second)
    now = second.get("name", "team/app")
    assert owner_of(app, now) == key(app, "alice")
    assert alice.get(f"/v2/{now}/manifests/v1").status_code == 200
    assert refusal(bob.get("/v2/bob/app/manifests/v1")) == (404, "NAME_UNKNOWN")


def test_old_names_of_owner_who_gives_an_image_away_stay(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """Bob renames his image and gives it to alice. His old name serves it still."""
    set_policy(lambda user, action, repository: user is not None)
    bob.push_image("bob/app", "v1")
    rest = RestClient.of(app, "bob")
    rest.done("PATCH", "/repositories/bob/app", {"name": "team/app"})
    rest.done("PATCH", "/repositories/team/app", {"owner": "alice"})
    assert bob.get("/v2/bob/app/manifests/v1").status_code == 200


def test_rename_of_namespace_keeps_owners_of_other_images(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """Alice renames her account. An image of bob below it does not become hers, even if
    the account has the new name already."""
    alice.push_image("alice/app", "v1")
    alice.push_image("alice/bobs", "v1")
    with app.app_context():
        user = user_named("alice")
        registry.repositories.transfer("alice/bobs", user_named("bob"))
        user.username = "alicia"
        registry.repositories.rename("alice", "alicia", by=user)
    assert owner_of(app, "alicia/app") == key(app, "alicia")
    assert owner_of(app, "alicia/bobs") == key(app, "bob")


def test_confirmation_of_rename_names_the_new_owner(
    app: Flask, alice: RegistryClient, writers: set[str]
) -> None:
    """The page says who becomes the owner before alice confirms."""
    alice.push_image(OLD, "v1")
    page = Visitor(app, "alice").send(f"/images/{OLD}/-/settings/name", name=NEW)
    assert "bob becomes the owner" in page.text
    assert "becomes private" in page.text
