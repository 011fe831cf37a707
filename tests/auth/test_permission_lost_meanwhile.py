"""Pushes whose caller loses the permission while the body arrives."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.requests import with_query
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
