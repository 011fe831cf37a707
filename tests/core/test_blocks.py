"""Blocked digests: they cannot be pulled or pushed in any way."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_oci import Denied
from flask_oci.spec.digest import Digest
from flask_oci.testing import Image
from flask_oci.testing import make_image
from flask_oci.testing import make_index
from flask_oci.testing.requests import with_query
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.upkeep import Upkeep
from tests.support.visitor import statements
from tests.support.visitor import Visitor

REASON = "contains malware; use alice/app:v2"
NAME = "alice/app"


class Target(t.NamedTuple):
    """An index with two images, which is blocked in its repository."""

    app: Flask
    image: Image
    child: str
    layer: str


@pytest.fixture(name="target")
def _target(app: Flask, alice: RegistryClient) -> Target:
    child = make_image(architecture="amd64")
    index = make_index(child, make_image(architecture="arm64"))
    alice.push(NAME, "v1", index)
    return Target(app, index, child.digest, child.blobs[-1])


def block(target: Target, digest: str, **options: t.Any) -> list[str]:
    """Block a digest, in the repository or in a path."""
    if "path" not in options:
        options["repository"] = NAME
    with target.app.app_context():
        return registry.blocks.add(digest, reason=REASON, **options)


def refused(response: TestResponse) -> None:
    """Check that a request was refused with the reason."""
    assert response.status_code == 403, response.text
    (error,) = response.get_json()["errors"]
    assert error["code"] == "DENIED"
    assert REASON in error["message"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_blocked_index_is_refused_by_tag_digest_and_child(
    target: Target, alice: RegistryClient, method: str
) -> None:
    assert len(block(target, target.image.digest)) == 3
    for reference in ("v1", target.image.digest, target.child):
        found = alice.request(method, f"/v2/{NAME}/manifests/{reference}")
        if method == "GET":
            refused(found)
        assert found.status_code == 403


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-3"}])
def test_blocked_blob_is_refused_whole_and_in_part(
    target: Target, alice: RegistryClient, headers: dict[str, str]
) -> None:
    block(target, target.layer)
    refused(alice.get(f"/v2/{NAME}/blobs/{target.layer}", headers=headers))
    assert alice.head(f"/v2/{NAME}/blobs/{target.layer}").status_code == 403
    # The block of a layer leaves the manifest.
    alice.request("GET", f"/v2/{NAME}/manifests/v1")


def test_blocked_digests_cannot_be_pushed_again(
    target: Target, alice: RegistryClient
) -> None:
    block(target, target.image.digest, path="*")
    block(target, target.layer, path="*")
    refused(alice.put_manifest(NAME, "v2", target.image.manifest))
    layer = target.image.contents[target.layer]
    session = alice.start_upload("alice/other")
    refused(alice.put(with_query(session, digest=target.layer), layer))
    whole = f"/v2/alice/other/blobs/uploads/?digest={target.layer}"
    refused(alice.post(whole, layer))
    other = make_image()
    alice.push(NAME, None, other)
    parent = make_index(other, target.image)
    refused(alice.put_manifest(NAME, "v3", parent.manifest))
    assert alice.tags(NAME) == ["v1"]


def test_blob_that_is_blocked_in_its_repository_cannot_be_mounted(
    target: Target, alice: RegistryClient
) -> None:
    block(target, target.layer)
    mount = f"/v2/alice/other/blobs/uploads/?mount={target.layer}"
    for query in (f"{mount}&from={NAME}", mount):
        assert alice.post(query).status_code == 202


def test_blocked_digest_cannot_be_exported_copied_or_read(
    target: Target, tmp_path: Path
) -> None:
    operator = Upkeep(target.app)
    block(target, target.image.digest)
    with target.app.app_context():
        with pytest.raises(Denied, match="malware"):
            registry.images.get_manifest(NAME, "v1")
        block(target, target.layer)
        with pytest.raises(Denied, match="malware"):
            registry.images.open_blob(NAME, target.layer)
    for args in (
        ("export", f"{NAME}:v1", str(tmp_path / "image.tar")),
        ("export", f"{NAME}@{target.child}", str(tmp_path / "image.tar")),
        ("copy", f"{NAME}:v1", "alice/other:v1"),
    ):
        result = operator.run(*args)
        assert result.exit_code == 1, result.output
        assert "is blocked: contains malware" in result.output
    assert not (tmp_path / "image.tar").exists()


def test_blocked_manifest_is_not_sent_by_the_pages(target: Target) -> None:
    visitor = Visitor(target.app, "alice")
    raw = f"/images/{NAME}/-/raw/{target.image.digest}"
    assert visitor.status(raw) == 200
    block(target, target.image.digest)
    assert visitor.status(raw) == 403


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("*", {NAME: 403, "alice/apple": 403, "bob/app": 403}),
        ("alice/*", {NAME: 403, "alice/apple": 403, "bob/app": 200}),
        ("alice/app/*", {NAME: 403, "alice/apple": 200, "bob/app": 200}),
    ],
)
def test_path_selects_the_repositories(
    target: Target,
    alice: RegistryClient,
    bob: RegistryClient,
    path: str,
    names: dict[str, int],
) -> None:
    alice.push("alice/apple", "v1", target.image)
    bob.push("bob/app", "v1", target.image)
    block(target, target.image.digest, path=path)
    found = {}
    for name in names:
        client = bob if name.startswith("bob") else alice
        found[name] = client.get(f"/v2/{name}/manifests/v1").status_code
    assert found == names


def test_removal_of_a_block_frees_its_children_but_not_those_of_other_blocks(
    target: Target, alice: RegistryClient
) -> None:
    block(target, target.image.digest)
    block(target, target.child)
    with target.app.app_context():
        assert registry.blocks.remove(target.image.digest, repository=NAME)
        assert not registry.blocks.remove(target.image.digest, repository=NAME)
    assert alice.get(f"/v2/{NAME}/manifests/v1").status_code == 200
    refused(alice.get(f"/v2/{NAME}/manifests/{target.child}"))


def test_block_follows_a_renamed_repository_and_ends_with_it(
    target: Target, alice: RegistryClient
) -> None:
    block(target, target.image.digest)
    with target.app.app_context():
        registry.repositories.rename(NAME, "alice/renamed")
        (found,) = registry.blocks.list(digest=target.image.digest)
        assert (found.repository, found.path) == ("alice/renamed", None)
        refused(alice.get("/v2/alice/renamed/manifests/v1"))
        registry.repositories.delete("alice/renamed")
        assert not registry.blocks.list()


def test_reason_and_scope_are_checked(target: Target) -> None:
    digest = target.image.digest
    with target.app.app_context():
        for reason in ("", " ", "two\nlines", "\x1b[31mred", "x" * 501):
            with pytest.raises(ValueError, match="reason"):
                registry.blocks.add(digest, repository=NAME, reason=reason)
        with pytest.raises(ValueError, match="either"):
            registry.blocks.add(digest, reason=REASON)
        with pytest.raises(ValueError, match="not a path"):
            registry.blocks.add(digest, path="alice", reason=REASON)
        assert not registry.blocks.list()


def test_command_blocks_by_tag_and_lists_the_blocks(
    target: Target, alice: RegistryClient
) -> None:
    operator = Upkeep(target.app)
    done = operator.run("block", "add", f"{NAME}:v1", "--reason", REASON)
    assert done.exit_code == 0, done.output
    assert f"Blocked {target.image.digest} and 2 images in it in {NAME}." in done.output
    listed = json.loads(operator.run("block", "list", "--json").stdout)
    assert {row["reason"] for row in listed} == {REASON}
    assert len(listed) == 3
    refused(alice.get(f"/v2/{NAME}/manifests/v1"))
    assert operator.run("block", "remove", f"{NAME}:v1").exit_code == 0
    assert operator.run("block", "remove", f"{NAME}:v1").exit_code == 1
    alone = ("block", "add", target.layer, "--reason", REASON)
    assert operator.run(*alone).exit_code == 2
    assert operator.run(*alone, "--path", "*").exit_code == 0
    refused(alice.get(f"/v2/{NAME}/blobs/{target.layer}"))


def test_manager_blocks_by_rest_but_cannot_end_the_block_of_an_administrator(
    target: Target, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, rest = target.image.digest, RestClient.of(target.app, "alice")
    mine = f"/repositories/{NAME}/-/blocks/{digest}"
    made = rest.done("PUT", mine, {"reason": REASON})
    assert [each["digest"] for each in made["items"]].count(digest) == 1
    assert len(made["items"]) == 3
    assert made["items"][0]["blocked_by"] == "alice"
    refused(alice.get(f"/v2/{NAME}/manifests/v1"))
    everywhere = f"/blocks/{digest}"
    assert rest.send("PUT", everywhere, {"reason": REASON}).status_code == 403
    monkeypatch.setattr(
        registry._hooks, "is_admin", lambda user: user.username == "bob"
    )
    admin = RestClient.of(target.app, "bob")
    admin.done("PUT", everywhere, {"reason": REASON, "path": "alice/*"})
    assert len(admin.items("/blocks")) == 6
    rest.done("DELETE", mine)
    refused(alice.get(f"/v2/{NAME}/manifests/v1"))
    assert rest.send("DELETE", mine).status_code == 404
    admin.done("DELETE", f"{everywhere}?path=alice/*")
    alice.pull(NAME, "v1")


def test_blocks_of_other_repositories_are_not_read(
    target: Target, alice: RegistryClient
) -> None:
    """Each user may block what others pull often; their requests must not pay."""
    block(target, target.child, path="website/*")
    for number in range(3):
        name = f"alice/other{number}"
        alice.push(name, "v1", target.image)
        with target.app.app_context():
            for digest in (target.child, target.layer):
                registry.blocks.add(digest, reason=REASON, repository=name)
    catalog = target.app.extensions["oci"].catalog
    with target.app.app_context():
        key = catalog.repositories.get(NAME).key
        child, layer = Digest.parse(target.child), Digest.parse(target.layer)
        assert [ban.path for ban in catalog.manifests.find(key, child).bans] == [
            "website"
        ]
        assert catalog.blobs.find(key, layer).bans == ()
        assert catalog.blocks.list(digest=layer, applying_to=key) == []
    refused(alice.get(f"/v2/alice/other0/manifests/{target.child}"))
    refused(alice.get(f"/v2/alice/other0/blobs/{target.layer}"))
    assert alice.get(f"/v2/{NAME}/blobs/{target.layer}").status_code == 200


def test_blocks_of_a_large_index_are_set_and_listed_in_parts(
    target: Target, alice: RegistryClient
) -> None:
    """An index has thousands of images, and blocking it needs one short request."""
    rest, counts = RestClient.of(target.app, "alice"), []
    for number in (2, 12):
        images = [make_image() for _ in range(number)]
        index = make_index(*images)
        alice.push(NAME, f"of{number}", index)
        address = f"/repositories/{NAME}/-/blocks/{index.digest}"
        with statements(target.app) as sent:
            made = rest.done("PUT", address, {"reason": REASON})
        assert {each["digest"] for each in made["items"]} == {
            index.digest,
            *(each.digest for each in images),
        }
        counts.append(len(sent))
    assert counts[0] == counts[1]
    with target.app.app_context():
        first = registry.blocks.list(repository=NAME, limit=10)
        rest_of = registry.blocks.list(repository=NAME, limit=100, offset=10)
    assert (len(first), len(rest_of)) == (10, 6)
    assert len({each.digest for each in first + rest_of}) == 16
    page = rest.get(f"/repositories/{NAME}/-/blocks?limit=10")
    assert [each["digest"] for each in page["items"]] == [b.digest for b in first]
