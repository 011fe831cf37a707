"""Quotas: parallel pushes and attempts to bypass a quota."""

from __future__ import annotations

import threading
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from flask_oci.catalog import quotas as catalog_quotas
from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.requests import basic
from flask_oci.testing.requests import with_query
from flask_oci.v2 import quota_check as endpoint_quotas
from tests.support.credentials import user_named
from tests.support.host import registry
from tests.support.quotas import limit
from tests.support.quotas import message
from tests.support.quotas import NAME
from tests.support.quotas import post
from tests.support.quotas import used
from tests.support.registry_client import ATTACHED
from tests.support.registry_client import LOOKS_ATTACHED
from tests.support.registry_client import RegistryClient
from tests.support.registry_client import Source
from tests.support.rest_client import RestClient
from tests.support.visitor import Visitor

# Parallel pushes


@pytest.mark.parametrize(
    ("images", "path"), [(False, None), (True, None), (False, "alice/*")]
)
def test_parallel_pushes_do_not_exceed_quota(
    app: Flask, alice: RegistryClient, images: bool, path: str | None
) -> None:
    """The pushes are to several repositories of one owner or one path."""
    for number in range(6):
        alice.push_blob(f"alice/{number}", CONFIG)
        alice.push_blob(f"alice/{number}", b"a layer")
    bound = ("images", 3) if images else ("bytes", used(app) + 3_500)
    if path is None:
        limit(app, **t.cast("t.Any", dict([bound])))
    else:
        with app.app_context():
            registry.quotas.set(path=path, **t.cast("t.Any", dict([bound])))
    statuses: list[int] = []
    start = threading.Barrier(6)

    def push(number: int) -> None:
        client = RegistryClient.of(app, "alice")
        start.wait()
        if images:
            made = client.put_manifest(
                f"alice/{number}", "v1", image(b"a layer", n=number)
            )
        else:
            made = post(client, bytes([number]) * 1_000, f"alice/{number}")
        statuses.append(made.status_code)

    threads = [threading.Thread(target=push, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] * 3 + [403] * 3
    with app.app_context():
        scope: t.Any = (
            {"owner": user_named("alice")} if path is None else {"path": path}
        )
        standing = registry.quotas.show(**scope)
    assert standing.images <= 3
    assert images or standing.bytes <= (standing.quota.bytes or 0)


# Attempts to bypass a quota


def test_refusal_does_not_reveal_hidden_blob(app: Flask, alice: RegistryClient) -> None:
    """The answer is the same if another user has the blob."""
    alice.push_image("alice/secret", "v1", layer=b"hidden")
    alice.push_image("alice/ci", "v1", layer=b"seen")
    limit(app, bytes=10)
    with app.app_context():
        user = user_named("alice")
        secret = registry.access_tokens.issue(
            user, repositories=["alice/ci"], actions=["push"]
        ).secret
    robot = RegistryClient(app, basic("alice", secret))
    answers = set()
    for content in (b"hidden", b"nowhere"):
        response = robot.post(
            "/v2/alice/ci/blobs/uploads/",
            query={"digest": digest_of(content)},
            environ=Source(b"x").environ(1_000_000),
        )
        answers.add((response.status_code, errors(response)[0]["message"]))
    assert len(answers) == 1


def test_known_digest_does_not_bypass_quota(app: Flask, alice: RegistryClient) -> None:
    """A client that names the digest of an existing blob gets space for that blob
    only."""
    alice.push_image(NAME, "v1", layer=b"seen")
    limit(app, bytes=10)
    source = Source(b"x" * 1_000_000)
    response = alice.post(
        f"/v2/{NAME}/blobs/uploads/",
        query={"digest": digest_of(b"seen")},
        environ=source.environ(None),
    )
    assert refusal(response) == (403, "DENIED")
    assert post(alice, b"seen").status_code == 201


@pytest.mark.options(oci_repository_quota=1000)
def test_first_blob_above_quota_of_repository_is_not_stored(
    app: Flask, alice: RegistryClient, tmp_path: Path
) -> None:
    """The repository does not exist before the push."""
    assert refusal(post(alice, b"x" * 1001, "alice/new")) == (403, "DENIED")
    assert not list((tmp_path / "oci").glob("blobs/*/*/*"))


@pytest.mark.parametrize("tag", ["v2", *LOOKS_ATTACHED])
def test_tag_similar_to_attached_tag_counts_as_image(
    app: Flask, alice: RegistryClient, tag: str
) -> None:
    """Only tags of clients that attach artifacts do not count."""
    limit(app, images=1)
    alice.push_image(NAME, "v1")
    response = alice.put_manifest(NAME, tag, image(LAYER, annotations={"a": tag}))
    assert refusal(response) == (403, "DENIED")


@pytest.mark.parametrize("tag", ATTACHED)
def test_attached_tag_does_not_count_as_image(
    app: Flask, alice: RegistryClient, tag: str
) -> None:
    """Clients attach signatures to an image by such tags."""
    limit(app, images=1)
    alice.push_image(NAME, "v1")
    alice.push_manifest(NAME, image(LAYER, annotations={"a": tag}), tag)


def test_upload_above_maximum_number_is_refused(
    app: Flask, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry adds up a limited number of uploads."""
    for module in (catalog_quotas, endpoint_quotas):
        monkeypatch.setattr(module, "UPLOADS", 3)
    alice.push_image(NAME, "v1")
    limit(app, bytes=1_000_000)
    for _ in range(3):
        assert alice.post(f"/v2/{NAME}/blobs/uploads/").status_code == 202
    assert refusal(alice.post(f"/v2/{NAME}/blobs/uploads/")) == (403, "DENIED")


@pytest.mark.parametrize(("owner", "status"), [("bob", 422), ("carol", 422)])
def test_transfer_above_quota_of_new_owner_is_refused(
    app: Flask, alice: RegistryClient, owner: str, status: int
) -> None:
    """A transfer to a disabled user is refused as well."""
    alice.push_image(NAME, "v1", layer=b"x" * 10_000)
    with app.app_context():
        registry.quotas.set(owner=user_named("bob"), bytes=5_000)
    visitor = Visitor(app, "alice")
    page = visitor.send(
        f"/images/{NAME}/-/settings/owner", owner=owner, confirmed="yes"
    )
    assert page.status == status
    assert alice.get(f"/v2/{NAME}/tags/list").status_code == 200


@pytest.mark.parametrize("owner", ["alice", "bob"])
def test_transfer_of_shared_content_counts_once(
    app: Flask, alice: RegistryClient, bob: RegistryClient, owner: str
) -> None:
    """A layer or an image that the new owner has already does not count again."""
    layer = b"x" * 10_000
    alice.push_image(NAME, "v1", layer=layer)
    bob.push_image("bob/app", "v1", layer=layer)
    with app.app_context():
        new = user_named(owner)
        registry.quotas.set(owner=new, bytes=12_000, images=1 + (owner == "bob"))
    page = Visitor(app, "alice").send(
        f"/images/{NAME}/-/settings/owner", owner=owner, confirmed="yes"
    )
    assert page.status == 302


def test_deleted_tag_can_be_restored_after_another_one_is_deleted(
    app: Flask, alice: RegistryClient
) -> None:
    """The bytes are above the quota, but they do not grow. The next push is refused."""
    manifest = alice.push_image(NAME, "v1", layer=b"x" * 10_000)
    alice.push_image(NAME, "v2", layer=b"y" * 10_000)
    assert alice.delete(f"/v2/{NAME}/manifests/v1").status_code == 202
    limit(app, bytes=1_000, images=1)
    visitor = Visitor(app, "alice")
    visitor.follow_form(visitor.get(f"/images/{NAME}/-/history", tag="v1"))
    assert alice.tags(NAME) == ["v2"]
    assert alice.delete(f"/v2/{NAME}/manifests/v2").status_code == 202
    visitor.follow_form(visitor.get(f"/images/{NAME}/-/history", tag="v1"))
    assert alice.get(f"/v2/{NAME}/manifests/v1").data == manifest
    assert alice.tags(NAME) == ["v1"]
    message(post(alice, b"new"))
    assert refusal(alice.put_manifest(NAME, "v3", image(b"x" * 10_000, n=1))) == (
        403,
        "DENIED",
    )


@pytest.mark.parametrize("way", ["rest", "page"])
def test_undo_above_quota_is_refused(
    app: Flask, alice: RegistryClient, way: str
) -> None:
    """Deletions, pushes and undone deletions do not add up to more images than the
    quota allows."""
    limit(app, images=2)
    for number in range(2):
        alice.push_image(NAME, f"old{number}", number=number)
    for number in range(2):
        assert alice.delete(f"/v2/{NAME}/manifests/old{number}").status_code == 202
        alice.push_image(NAME, f"new{number}", number=number + 2)
    rest = RestClient.of(app, "alice")
    moves = rest.items(f"/repositories/{NAME}/-/history")
    deletions = [m["id"] for m in moves if m["to_digest"] is None]
    assert len(deletions) == 2
    for move in deletions:
        if way == "rest":
            path = f"/repositories/{NAME}/-/history/{move}/undo"
            text = message(rest.send("POST", path))
        else:
            visitor = Visitor(app, "alice")
            visitor.send(f"/images/{NAME}/-/history", move=str(move))
            text = visitor.get(f"/images/{NAME}/-/history").text
        assert "alice has 2 of 2 images" in text
    assert alice.tags(NAME) == ["new0", "new1"]
    # A move between images of the repository needs no further space.
    alice.push_image(NAME, "new0", number=3)
    assert alice.delete(f"/v2/{NAME}/manifests/new0").status_code == 202
    last = rest.items(f"/repositories/{NAME}/-/history")[0]["id"]
    rest.done("POST", f"/repositories/{NAME}/-/history/{last}/undo")
    assert alice.tags(NAME) == ["new0", "new1"]


@pytest.mark.parametrize("is_session", [True, False])
def test_repository_of_push_that_failed_at_quota_is_listed(
    app: Flask, alice: RegistryClient, is_session: bool
) -> None:
    """Its blobs count, so its owner finds it in each list and can delete it."""
    limit(app, images=0)
    layer = b"x" * 10_000
    if is_session:
        address = alice.start_upload(NAME)
        address = with_query(address, digest=digest_of(layer))
        assert alice.put(address, layer).status_code == 201
    else:
        assert post(alice, layer).status_code == 201
    alice.push_blob(NAME, CONFIG)
    assert refusal(alice.put_manifest(NAME, "v1", image(layer))) == (403, "DENIED")
    rest, visitor = RestClient.of(app, "alice"), Visitor(app, "alice")
    (found,) = rest.items("/repositories")
    assert (found["name"], found["tags"]) == (NAME, 0)
    assert found["bytes"] >= len(layer)
    assert NAME in visitor.get("/images/").links
    listed = FlaskCliRunner(app).invoke(args=["oci", "repositories"])
    assert NAME in listed.output
    assert RestClient.of(app, "bob").items("/repositories") == []
    visitor.send(f"/images/{NAME}/-/settings/delete", confirmed="yes")
    assert used(app) == 0
    assert rest.items("/repositories") == []
