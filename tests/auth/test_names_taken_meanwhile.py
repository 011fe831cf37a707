"""Renames during a request: the request changes the repository that was authorized."""

from __future__ import annotations

import typing as t
from contextlib import suppress

import pytest
from flask import Flask

from flask_oci.errors import NameUnknown
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.credentials import user_named
from tests.support.host import registry
from tests.support.interleaving import in_thread
from tests.support.interleaving import interleaved
from tests.support.registry_client import RegistryClient
from tests.support.registry_client import Source
from tests.support.rest_client import RestClient
from tests.support.visitor import Visitor

Attempt = t.Callable[[Flask, str], object]

#: Requests that must not change the repository of another user.
ATTEMPTS: dict[str, Attempt] = {
    "take": lambda app, name: rest(app, "PATCH", name, {"owner": "bob"}),
    "publish": lambda app, name: rest(app, "PATCH", name, {"visibility": "public"}),
    "delete": lambda app, name: rest(app, "DELETE", name),
    "rules": lambda app, name: rest(
        app, "PUT", f"{name}/-/retention", {"rules": ["delete *"]}
    ),
    "protect": lambda app, name: rest(
        app, "PUT", f"{name}/-/protected-tags", {"protected": [], "immutable": ["*"]}
    ),
    "a page": lambda app, name: Visitor(app, "bob").send(
        f"/images/{name}/-/settings/delete", confirmed="yes"
    ),
}


def rest(app: Flask, method: str, path: str, *body: t.Any) -> None:
    """Execute the rest of bob's request, with any result."""
    RestClient.of(app, "bob").send(method, f"/repositories/{path}", *body)


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_request_during_rename_changes_no_repository_of_new_owner(
    app: Flask, alice: RegistryClient, attempt: str
) -> None:
    """Bob may change the repository that has the name, and frees the name at any step.
    Alice then pushes a repository with that name, which stays as she pushed it."""
    step = 0
    while True:
        name, moved = f"alice/app{step}", f"bob/app{step}"
        alice.push_image(name, "old")
        with app.app_context():
            registry.repositories.transfer(name, user_named("bob"))

        def rival(name: str = name, moved: str = moved) -> None:
            with app.app_context(), suppress(NameUnknown):
                there = registry.repositories.find(name)
                if there.owner_id == user_named("bob").id:
                    registry.repositories.rename(name, moved)
            alice.push_image(name, "secret")

        with interleaved(app, rival, step) as steps:
            ATTEMPTS[attempt](app, name)
        if step >= steps.count:
            break
        check(app, alice, name)
        step += 1
    assert step > 5


@pytest.mark.parametrize("what", ["a manifest", "a blob"])
def test_slow_push_during_rename_changes_no_repository_of_new_owner(
    app: Flask, alice: RegistryClient, bob: RegistryClient, what: str
) -> None:
    """A push that began with permission and takes long does not end in the repository
    of another user."""
    name = "alice/app"
    alice.push_image(name, "old")
    with app.app_context():
        registry.repositories.transfer(name, user_named("bob"))

    def take_the_name() -> None:
        with app.app_context():
            registry.repositories.rename(name, "bob/app")
        alice.push_image(name, "secret")

    content = image(LAYER, number=2) if what == "a manifest" else b"a layer of bob's"
    source = Source(content, on_read=in_thread(take_the_name))
    if what == "a manifest":
        response = bob.put(
            f"/v2/{name}/manifests/secret",
            headers={"Content-Type": OCI_MANIFEST},
            environ=source.environ(len(content)),
        )
    else:
        response = bob.post(
            f"/v2/{name}/blobs/uploads/",
            query={"digest": digest_of(content)},
            environ=source.environ(len(content)),
        )
    assert refusal(response) == (404, "NAME_UNKNOWN")
    pulled = alice.get(f"/v2/{name}/manifests/secret")
    assert pulled.data == image(LAYER)
    assert alice.get(f"/v2/{name}/blobs/{digest_of(content)}").status_code == 404


def check(app: Flask, alice: RegistryClient, name: str) -> None:
    """Check that a repository is as alice pushed it."""
    assert alice.tags(name) == ["secret"]
    with app.app_context():
        found = registry.repositories.find(name)
        assert found.owner_id == user_named("alice").id
        assert found.visibility == "private"
        assert registry.retention.get(repository=name) == ()
        assert not registry.tag_protection.get(repository=name).immutable
