"""Protected and immutable tags."""

from __future__ import annotations

import json
import typing as t

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from flask_oci import RepositoryInfo
from flask_oci.config import ConfigError
from flask_oci.rules.protection import is_attached
from flask_oci.rules.protection import patterns
from flask_oci.rules.protection import Protection
from flask_oci.rules.protection import subject_of
from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from tests.conftest import MakeApp
from tests.support.credentials import by_access_token
from tests.support.credentials import user_named
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import ATTACHED
from tests.support.registry_client import LOOKS_ATTACHED
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep
from tests.support.visitor import Visitor

NAME = "alice/app"
OTHER = image(b"a layer", annotations={"n": "2"})


def may(user: t.Any, action: str, repository: RepositoryInfo) -> bool:
    """Let alice own her repositories and let bob push to and delete from them."""
    name = user.username if user else None
    return name == "alice" or (name == "bob" and action != "manage")


@pytest.fixture(name="app")
def _app(make_app: MakeApp, request: pytest.FixtureRequest) -> Flask:
    config: dict[str, object] = {}
    for marker in request.node.iter_markers("options"):
        config.update({key.upper(): value for key, value in marker.kwargs.items()})
    app = make_app(authorize=may, **config)
    RegistryClient.of(app, "alice").push_image(NAME, "v1")
    return app


def protect(app: Flask, *protected: str, immutable: t.Sequence[str] = ()) -> None:
    """Set patterns for the repository."""
    with app.app_context():
        registry.tag_protection.set(
            repository=NAME, protected=protected, immutable=immutable
        )


def push(client: RegistryClient, tag: str, content: bytes = OTHER) -> t.Any:
    """Push a new image with a tag."""
    return client.put_manifest(NAME, tag, content)


def target(client: RegistryClient, tag: str) -> bytes:
    """Return the digest that a tag points at."""
    response = client.get(f"/v2/{NAME}/manifests/{tag}")
    assert response.status_code == 200
    return bytes(response.data)


#: Every request that changes a tag.
WAYS: t.Final[dict[str, t.Callable[[RegistryClient, str], t.Any]]] = {
    "push": push,
    "push by digest": lambda c, tag: c.put_manifest(
        NAME, digest_of(OTHER), OTHER, query={"tag": ["free", tag]}
    ),
    "delete": lambda c, tag: c.delete(f"/v2/{NAME}/manifests/{tag}"),
    "delete the manifest": lambda c, tag: c.delete(
        f"/v2/{NAME}/manifests/{digest_of(target(c, tag))}"
    ),
}


@pytest.mark.parametrize("kind", ["protected", "immutable"])
@pytest.mark.parametrize("way", WAYS)
def test_protected_tag_cannot_be_changed_by_any_request(
    app: Flask, way: str, kind: str
) -> None:
    """A user who may push and delete cannot change the tag, and the request changes
    nothing."""
    bob = RegistryClient.of(app, "bob")
    before = target(bob, "v1")
    protect(app, *["v*"] * (kind == "protected"), immutable=["v*"] * (kind[0] == "i"))
    response = WAYS[way](bob, "v1")
    assert refusal(response) == (403, "DENIED")
    (entry,) = errors(response)
    assert f"The tag v1 is {kind} (by 'v*')" in entry["message"]
    assert "Push another tag" in entry["message"]
    assert entry["detail"] == "v1"
    assert target(bob, "v1") == before
    assert bob.tags(NAME) == ["v1"]


@pytest.mark.parametrize("way", WAYS)
def test_protected_tag_can_be_changed_by_manager(app: Flask, way: str) -> None:
    """A user who may manage the repository can move and delete the tag."""
    protect(app, "v*")
    assert WAYS[way](RegistryClient.of(app, "alice"), "v1").status_code in (201, 202)


@pytest.mark.parametrize("way", WAYS)
def test_immutable_tag_cannot_be_changed_by_owner(app: Flask, way: str) -> None:
    """The owner can change it after unsetting the pattern."""
    alice = RegistryClient.of(app, "alice")
    protect(app, immutable=["v*"])
    assert refusal(WAYS[way](alice, "v1")) == (403, "DENIED")
    with app.app_context():
        assert registry.tag_protection.unset(repository=NAME)
    assert WAYS[way](alice, "v1").status_code in (201, 202)


def test_protection_allows_other_tags_and_same_image(app: Flask) -> None:
    """Other tags can move, new tags can be created, and the same image can be pushed
    again."""
    bob = RegistryClient.of(app, "bob")
    protect(app, "v?", immutable=["release-*"])
    assert push(bob, "v1", target(bob, "v1")).status_code == 201
    for tag in ("v2", "release-1", "latest", "v10"):
        assert push(bob, tag).status_code == 201
    assert push(bob, "release-1").status_code == 201
    other = image(b"a layer", annotations={"n": "3"})
    for tag in ("latest", "v10"):
        assert push(bob, tag, other).status_code == 201
    for tag in ("v2", "release-1"):
        assert refusal(push(bob, tag, other)) == (403, "DENIED")


@pytest.mark.parametrize("actions", [("pull", "push"), ("pull", "push", "delete")])
def test_protected_tag_needs_token_that_may_manage(app: Flask, actions: t.Any) -> None:
    """The token of a build machine cannot move a protected tag, even if its user
    can."""
    protect(app, "v1")
    machine = by_access_token(app, "alice", actions=actions)
    response = push(machine, "v1")
    if "delete" in actions:
        assert response.status_code == 201
    else:
        assert refusal(response) == (403, "DENIED")


@pytest.mark.parametrize("tag", ATTACHED)
def test_attached_tag_is_never_protected(app: Flask, tag: str) -> None:
    """Cosign pushes its tags repeatedly."""
    protect(app, "*", immutable=["*"])
    bob = RegistryClient.of(app, "bob")
    assert push(bob, tag, target(bob, "v1")).status_code == 201
    assert push(bob, tag).status_code == 201
    assert bob.delete(f"/v2/{NAME}/manifests/{tag}").status_code == 202


@pytest.mark.parametrize("tag", LOOKS_ATTACHED)
def test_tag_similar_to_attached_tag_is_protected(app: Flask, tag: str) -> None:
    """Only tags of clients that attach artifacts are exempt."""
    protect(app, immutable=["*"])
    bob = RegistryClient.of(app, "bob")
    assert push(bob, tag, target(bob, "v1")).status_code == 201
    assert refusal(push(bob, tag)) == (403, "DENIED")


def test_protection_of_owner_covers_only_their_repositories(app: Flask) -> None:
    """A rule of an owner applies to all their repositories and to no other."""
    alice, bob = RegistryClient.of(app, "alice"), RegistryClient.of(app, "bob")
    for name in ("alice/new", "bob/new"):
        alice.push_image(name, "v1")
    with app.app_context():
        registry.tag_protection.set(owner=user_named("alice"), protected=["v1"])
    put = bob.put_manifest
    assert refusal(put(NAME, "v1", OTHER)) == (403, "DENIED")
    assert refusal(put("alice/new", "v1", OTHER)) == (403, "DENIED")
    assert put("bob/new", "v1", OTHER).status_code == 201
    with app.app_context():
        registry.repositories.transfer("alice/new", user_named("bob"))
    assert put("alice/new", "v1", OTHER).status_code == 201


@pytest.mark.options(oci_protected_tags=["v*"], oci_immutable_tags=["release"])
def test_protection_in_configuration_covers_all_repositories(app: Flask) -> None:
    """It applies in addition to the rules of owners and repositories."""
    bob = RegistryClient.of(app, "bob")
    push(bob, "release", target(bob, "v1"))
    push(bob, "latest", target(bob, "v1"))
    protect(app, "latest")
    for tag in ("v1", "release", "latest"):
        assert refusal(push(bob, tag)) == (403, "DENIED")


@pytest.mark.parametrize("value", ["v*", ["a b"], [""], ["v[1]"], [1], ["x" * 129]])
def test_invalid_pattern_in_configuration_raises(
    make_app: MakeApp, value: t.Any
) -> None:
    """A pattern that matches no tag is an error at the start."""
    with pytest.raises(ConfigError, match="OCI_PROTECTED_TAGS must be a list"):
        make_app(OCI_PROTECTED_TAGS=value)


def test_pages_refuse_change_of_protected_tag(app: Flask) -> None:
    """The pages say so, and show which tags are protected."""
    alice, bob = Visitor(app, "alice"), Visitor(app, "bob")
    page = f"/images/{NAME}"
    sent = alice.send(
        f"{page}/-/settings/tags", protected="v* latest", immutable="release-*"
    )
    assert sent.status == 302
    settings = alice.get(f"{page}/-/settings")
    assert "The patterns were saved." in settings.text
    values = [field.get("value") for field in settings.all("input")]
    assert {"v* latest", "release-*"} <= set(values)
    assert "protected" in bob.get(page).text
    bob.send(f"{page}/-/tags/delete", tag="v1", confirmed="yes")
    assert "The tag v1 is protected" in bob.get(page).text
    assert RegistryClient.of(app, "bob").tags(NAME) == ["v1"]
    alice.send(f"{page}/-/tags/delete", tag="v1", confirmed="yes")
    assert RegistryClient.of(app, "bob").tags(NAME) == []
    again = alice.send(f"{page}/-/settings/tags", protected="v[1]", immutable="")
    assert again.status == 422
    assert "Invalid tag pattern" in again.text


def test_undo_of_protected_tag_needs_manager_if_tag_exists(app: Flask) -> None:
    """A user who may push can restore a deleted tag."""
    alice, bob = RegistryClient.of(app, "alice"), RegistryClient.of(app, "bob")
    before = target(bob, "v1")
    push(alice, "v1")
    protect(app, "v1")
    with app.app_context():
        Move = registry.models.TagMove
        move = str(db.session.scalar(sa.select(sa.func.max(Move.id))))
    history = f"/images/{NAME}/-/history"
    Visitor(app, "bob").send(history, move=move)
    assert target(bob, "v1") == OTHER
    Visitor(app, "alice").send(history, move=move)
    assert target(bob, "v1") == before
    assert alice.delete(f"/v2/{NAME}/manifests/v1").status_code == 202
    Visitor(app, "bob").send(history, move=move)
    assert target(bob, "v1") == before


def test_rule_is_deleted_with_its_repository_or_owner(app: Flask) -> None:
    """The next repository or user with the same name has no rule."""
    protect(app, "v1")
    with app.app_context():
        bob = user_named("bob")
        registry.tag_protection.set(owner=bob, protected=["v1"])
        assert len(registry.tag_protection.list()) == 2
        registry.repositories.delete(NAME)
        db.session.delete(bob)
        db.session.commit()
        assert registry.tag_protection.list() == []


def test_protect_command_sets_lists_and_unsets_rules(app: Flask) -> None:
    """A rule applies to the next push."""
    keeper, bob = Upkeep(app), RegistryClient.of(app, "bob")
    done = keeper.run("protect", "set", "--repository", NAME, "--tag", "v*")
    assert done.exit_code == 0, done.output
    assert refusal(push(bob, "v1")) == (403, "DENIED")
    listed = keeper.run("protect", "list").output.splitlines()
    assert listed[-1].split() == [NAME, "v*", "-"]
    done = keeper.run("protect", "set", "--owner", "alice", "--immutable", "r*")
    assert done.exit_code == 0, done.output
    listed = json.loads(keeper.run("protect", "list", "--json").output)
    site = {"repository": None, "owner": None, "path": None}
    assert listed == [
        {**site, "protected": [], "immutable": []},
        {**site, "owner": "alice", "protected": [], "immutable": ["r*"]},
        {**site, "repository": NAME, "protected": ["v*"], "immutable": []},
    ]
    assert keeper.run("protect", "unset", "--repository", NAME).exit_code == 0
    assert push(bob, "v1").status_code == 201


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("set", "--repository", NAME), 2),
        (("set", "--tag", "v1"), 2),
        (("set", "--tag", "v1", "--repository", NAME, "--owner", "alice"), 2),
        (("set", "--tag", "v[1]", "--repository", NAME), 1),
        (("set", "--tag", "v1", "--repository", "alice/none"), 1),
        (("set", "--tag", "v1", "--owner", "nobody"), 1),
        (("unset", "--repository", NAME), 1),
    ],
)
def test_protect_command_with_invalid_input_fails(
    app: Flask, arguments: tuple[str, ...], status: int
) -> None:
    """It sets no rule."""
    done = Upkeep(app).run("protect", *arguments)
    assert done.exit_code == status, done.output
    with app.app_context():
        assert registry.tag_protection.list() == []


@given(st.text(max_size=20))
def test_any_text_as_pattern_is_accepted_or_refused(text: str) -> None:
    """An accepted pattern can be matched without an error."""
    try:
        (accepted,) = patterns([text])
    except ValueError:
        return
    assert Protection((accepted,)).protected_by("v1") in (None, accepted)


def test_subject_of_attached_tag_is_its_digest() -> None:
    """An attached tag contains the digest of its subject."""
    digest = digest_of(b"anything")
    assert subject_of(digest.replace(":", "-") + ".sig") == digest
    assert subject_of("latest") is None
    assert not is_attached(digest)
