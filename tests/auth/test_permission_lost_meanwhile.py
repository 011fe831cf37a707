"""Pushes whose caller loses the permission while the body arrives."""

from __future__ import annotations

import json
import typing as t

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.requests import basic
from flask_oci.testing.requests import with_query
from tests.support.credentials import issue
from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import registry
from tests.support.host import set_policy
from tests.support.interleaving import in_thread
from tests.support.registry_client import RegistryClient
from tests.support.registry_client import Source

NAME = "team/app"
BLOB = b"a layer of bob's"
#: A manifest without references to content of the repository.
MANIFEST = image(LAYER, number=2)

Meanwhile = t.Callable[[], object]
Push = t.Callable[[RegistryClient, Meanwhile], TestResponse]


def push_manifest(client: RegistryClient, meanwhile: Meanwhile) -> TestResponse:
    """Push a manifest to a tag."""
    source = Source(MANIFEST, on_read=in_thread(meanwhile))
    return client.put(
        f"/v2/{NAME}/manifests/v1",
        headers={"Content-Type": OCI_MANIFEST},
        environ=source.environ(len(MANIFEST)),
    )


def push_blob(client: RegistryClient, meanwhile: Meanwhile) -> TestResponse:
    """Push a blob in one request."""
    source = Source(BLOB, on_read=in_thread(meanwhile))
    return client.post(
        f"/v2/{NAME}/blobs/uploads/",
        query={"digest": digest_of(BLOB)},
        environ=source.environ(len(BLOB)),
    )


def finish_upload(client: RegistryClient, meanwhile: Meanwhile) -> TestResponse:
    """Push a blob with an upload session."""
    address = client.start_upload(NAME)
    source = Source(BLOB, on_read=in_thread(meanwhile))
    return client.put(
        with_query(address, digest=digest_of(BLOB)),
        environ=source.environ(len(BLOB)),
    )


PUSHES: dict[str, Push] = {
    "manifest": push_manifest,
    "blob": push_blob,
    "session": finish_upload,
}


@pytest.fixture(name="shared")
def _shared(app: Flask, bob: RegistryClient) -> dict[str, bool]:
    """A policy under which any user may create repositories of the team, and only their
    owner, and users who are members, may push to an existing one."""
    rights = {"bob": True, "new": True}

    def authorize(user: t.Any, action: str, repository: t.Any) -> bool:
        if user is None:
            return False
        if not repository.exists:
            return rights["new"] and rights.get(user.username, True)
        return bool(
            repository.owner_id == user.id or (user.username == "bob" and rights["bob"])
        )

    set_policy(authorize)
    return rights


@pytest.mark.parametrize("push", ["manifest", "blob"])
def test_push_admitted_to_absent_repository_is_refused_after_its_creation(
    app: Flask, alice: RegistryClient, bob: RegistryClient, push: str
) -> None:
    """Alice creates the repository while bob's body arrives. Her tag stays."""
    set_policy(
        lambda user, action, repository: (
            user is not None
            and (not repository.exists or repository.owner_id == user.id)
        )
    )
    alice.push_blob("alice/other", LAYER)
    answer = PUSHES[push](bob, lambda: alice.push_image(NAME, "v1"))
    assert refusal(answer) == (403, "DENIED")
    assert alice.get(f"/v2/{NAME}/manifests/v1").data == image(LAYER)
    assert alice.get(f"/v2/{NAME}/blobs/{digest_of(BLOB)}").status_code == 404


@pytest.mark.parametrize("push", PUSHES)
def test_push_is_refused_after_its_repository_was_given_away(
    app: Flask, alice: RegistryClient, bob: RegistryClient, push: str
) -> None:
    """The repository keeps its name and gets another owner."""
    set_policy(
        lambda user, action, repository: (
            user is not None
            and (not repository.exists or repository.owner_id == user.id)
        )
    )
    bob.push_image(NAME, "v1")

    def give_away() -> None:
        with app.app_context():
            registry.repositories.transfer(NAME, user_named("alice"))

    assert refusal(PUSHES[push](bob, give_away)) == (403, "DENIED")
    assert alice.get(f"/v2/{NAME}/manifests/v1").data == image(LAYER)
    assert alice.get(f"/v2/{NAME}/blobs/{digest_of(BLOB)}").status_code == 404


@pytest.mark.parametrize("push", PUSHES)
def test_push_of_member_who_was_removed_is_refused(
    alice: RegistryClient,
    bob: RegistryClient,
    shared: dict[str, bool],
    push: str,
) -> None:
    """The repository is unchanged; the policy of the host decides differently now."""
    alice.push_image(NAME, "v1")
    answer = PUSHES[push](bob, lambda: shared.update(bob=False))
    assert refusal(answer) == (403, "DENIED")
    assert alice.get(f"/v2/{NAME}/manifests/v1").data == image(LAYER)
    assert alice.get(f"/v2/{NAME}/blobs/{digest_of(BLOB)}").status_code == 404


@pytest.mark.parametrize("push", PUSHES)
def test_push_of_deactivated_user_is_refused(
    alice: RegistryClient,
    bob: RegistryClient,
    admin: Administrator,
    shared: dict[str, bool],
    push: str,
) -> None:
    """The account is disabled while the body arrives."""
    alice.push_image(NAME, "v1")
    answer = PUSHES[push](bob, lambda: admin.change_user("bob", is_active=False))
    assert refusal(answer) == (403, "DENIED")
    assert alice.get(f"/v2/{NAME}/manifests/v1").data == image(LAYER)


@pytest.mark.parametrize("push", PUSHES)
def test_push_of_deleted_user_is_challenged(
    alice: RegistryClient,
    bob: RegistryClient,
    admin: Administrator,
    shared: dict[str, bool],
    push: str,
) -> None:
    """The account is deleted while the body arrives."""
    alice.push_image(NAME, "v1")
    answer = PUSHES[push](bob, lambda: admin.delete_user("bob"))
    assert answer.status_code == 401
    assert alice.get(f"/v2/{NAME}/manifests/v1").data == image(LAYER)


@pytest.mark.parametrize("push", PUSHES)
def test_push_names_no_hidden_new_name(
    app: Flask, alice: RegistryClient, bob: RegistryClient, push: str
) -> None:
    """A repository that was renamed and hidden is not named to its former pusher."""
    set_policy(lambda user, action, repository: "secret" not in repository.name)
    bob.push_image(NAME, "v1")

    def hide() -> None:
        with app.app_context():
            registry.repositories.rename(NAME, "alice/secret")

    answer = PUSHES[push](bob, hide)
    assert answer.status_code in (403, 404)
    assert b"secret" not in answer.data


@pytest.mark.parametrize("is_deleted", [True, False])
def test_rest_change_of_user_who_is_disabled_meanwhile_is_refused(
    bob: RegistryClient, admin: Administrator, is_deleted: bool
) -> None:
    """The account is disabled or deleted while the body arrives."""
    bob.push_image("bob/app", "v1")

    def disable() -> None:
        if is_deleted:
            admin.delete_user("bob")
        else:
            admin.change_user("bob", is_active=False)

    body = b'{"visibility": "public"}'
    source = Source(body, on_read=in_thread(disable))
    answer = bob.request(
        "PATCH",
        "/api/oci/v1/repositories/bob/app",
        headers={"Content-Type": "application/json"},
        environ=source.environ(len(body)),
    )
    assert answer.status_code in (401, 403, 404)
    with bob.app.app_context():
        assert registry.repositories.find("bob/app").visibility == "private"


def revoke_token(app: Flask, token_id: str) -> Meanwhile:
    """Return a function that revokes one token, as its owner does."""

    def revoke() -> None:
        with app.app_context():
            assert registry.access_tokens.revoke(token_id)

    return revoke


def revoke_all(app: Flask, username: str) -> Meanwhile:
    """Return a function that ends all access of a user, as after a new password."""

    def revoke() -> None:
        with app.app_context():
            registry.access_tokens.revoke_all(user_named(username))

    return revoke


@pytest.mark.parametrize("push", PUSHES)
@pytest.mark.parametrize("by_bearer", [False, True])
def test_push_with_token_that_is_revoked_meanwhile_is_challenged(
    app: Flask, bob: RegistryClient, push: str, by_bearer: bool
) -> None:
    """A revoked token ends at once, also for a body that has begun to arrive."""
    set_policy(lambda user, action, repository: user is not None)
    bob.push_image(NAME, "v1")
    issued = issue(app, "bob")
    client = RegistryClient(app, basic("bob", issued.secret))
    if by_bearer:
        client = client.bearer(f"repository:{NAME}:pull,push")
    answer = PUSHES[push](client, revoke_token(app, issued.id))
    assert refusal(answer) == (401, "UNAUTHORIZED")
    assert "WWW-Authenticate" in answer.headers
    assert bob.get(f"/v2/{NAME}/manifests/v1").data == image(LAYER)
    assert bob.get(f"/v2/{NAME}/blobs/{digest_of(BLOB)}").status_code == 404


@pytest.mark.parametrize("push", PUSHES)
@pytest.mark.parametrize("by_bearer", [False, True])
def test_push_of_user_whose_access_is_revoked_meanwhile_is_challenged(
    app: Flask, bob: RegistryClient, push: str, by_bearer: bool
) -> None:
    """The user replaces a stolen password while the thief's body arrives."""
    set_policy(lambda user, action, repository: user is not None)
    bob.push_image(NAME, "v1")
    client = bob.bearer(f"repository:{NAME}:pull,push") if by_bearer else bob
    answer = PUSHES[push](client, revoke_all(app, "bob"))
    assert refusal(answer) == (401, "UNAUTHORIZED")
    assert bob.get(f"/v2/{NAME}/manifests/v1").data == image(LAYER)


@pytest.fixture(autouse=True)
def _restored_loader() -> t.Iterator[None]:
    """Remove the loader of users after each test."""
    yield
    # There is no public function to remove a hook.
    registry._hooks.user_loader = None


#: A change of each kind that REST makes with a body.
REST_CHANGES: dict[tuple[str, str], object] = {
    ("POST", "/tokens"): {"actions": ["pull"], "repositories": ["*"]},
    ("PATCH", "/repositories/bob/app"): {"visibility": "public"},
    ("PUT", "/repositories/bob/app/-/retention"): {"rules": ["delete *"]},
    ("PUT", "/repositories/bob/app/-/protected-tags"): {
        "protected": ["*"],
        "immutable": [],
    },
}


@pytest.mark.parametrize("change", REST_CHANGES)
@pytest.mark.parametrize("end", ["token", "all", "account", "identifier"])
def test_rest_change_of_caller_who_loses_access_meanwhile_is_refused(
    app: Flask,
    bob: RegistryClient,
    admin: Administrator,
    change: tuple[str, str],
    end: str,
) -> None:
    """The thief of a password could issue a token that outlives its revocation."""
    bob.push_image("bob/app", "v1")
    issued = issue(app, "bob", actions=["pull", "push", "delete", "manage"])
    client = bob
    if end == "token":
        client = RegistryClient(app, basic("bob", issued.secret))
    ends: dict[str, Meanwhile] = {
        "token": revoke_token(app, issued.id),
        "all": revoke_all(app, "bob"),
        "account": lambda: admin.change_user("bob", is_active=False),
        # A new password of the user changes the identifier of some hosts.
        "identifier": lambda: registry.user_loader(lambda subject: None),
    }
    body = json.dumps(REST_CHANGES[change]).encode()
    source = Source(body, on_read=in_thread(ends[end]))
    answer = client.request(
        change[0],
        f"/api/oci/v1{change[1]}",
        headers={"Content-Type": "application/json"},
        environ=source.environ(len(body)),
    )
    assert answer.status_code in (401, 403, 404)
    with app.app_context():
        assert registry.repositories.find("bob/app").visibility == "private"
        assert registry.retention.get(repository="bob/app") == ()
        assert not registry.tag_protection.get(repository="bob/app").protected
        left = registry.access_tokens.list(user_named("bob"))
        assert len(left) == (0 if end in ("token", "all") else 1)
