"""The deletion of images on the pages, and its undoing."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_INDEX
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep
from tests.support.visitor import Page
from tests.support.visitor import Visitor

NAME = "alice/hello"
HELLO = f"/images/{NAME}"

#: The collection deletes untagged manifests as soon as it may.
COLLECTS = pytest.mark.options(oci_untagged_lifetime=timedelta(seconds=1))


@pytest.fixture(name="visitor")
def _visitor(app: Flask) -> Visitor:
    """Alice, signed in."""
    return Visitor(app, "alice")


def delete(visitor: Visitor, *digests: str) -> Page:
    """Delete images, and return the page that follows."""
    asked = visitor.send(f"{HELLO}/-/images/delete", digest=list(digests))
    done = visitor.follow_form(asked)
    return visitor.get(str(done.location))


def restore(visitor: Visitor, digest: str) -> Page:
    """Undo a deletion, and return the page that follows."""
    done = visitor.send(f"{HELLO}/-/images/restore", digest=digest)
    return visitor.get(str(done.location))


def undo(visitor: Visitor, page: Page) -> Page:
    """Press the button beside a message, and return the page that follows."""
    (form,) = [each for each in page.forms() if each.action.endswith("/-/undo")]
    names = ("kind", "after", "until")
    fields = {name: form.fields[name][0] for name in names}
    done = visitor.send(form.action, **fields)
    return visitor.get(str(done.location))


def pulls(alice: RegistryClient, reference: str) -> int:
    """Return the status of a pull."""
    return alice.get(f"/v2/{NAME}/manifests/{reference}").status_code


@COLLECTS
def test_deleted_index_is_restored_whole(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """The images of an index, its blobs, its signature and its tags survive a
    collection, and return with the index."""
    layer = b"only here"
    child = alice.push_image(NAME, layer=layer)
    whole = index(descriptor(child, OCI_MANIFEST))
    for tag in ("1.0", "latest"):
        alice.push_manifest(NAME, whole, tag)
    signature = image(LAYER, subject=descriptor(whole, OCI_INDEX))
    alice.push_blob(NAME, LAYER)
    alice.push_manifest(NAME, signature)
    digest = digest_of(whole)
    asked = visitor.send(f"{HELLO}/-/images/delete", digest=digest)
    assert "alice / hello Delete 1 image?" in asked.text
    assert "Their tags are deleted: 1.0, latest" in asked.text
    assert "restored from the history for 7 days" in asked.text
    page = delete(visitor, digest)
    assert "Deleted 1 image." in page.text
    assert {pulls(alice, "1.0"), pulls(alice, digest)} == {404}
    with later(LONG):
        Upkeep(app).gc()
        alice.push_manifest(NAME, child, "latest")
        listed = visitor.get(f"{HELLO}/-/history")
        assert "1.0, latest" in listed.text
        assert "Restored 1 image." in undo(visitor, page).text
        assert alice.get(f"/v2/{NAME}/manifests/1.0").data == whole
        assert alice.get(f"/v2/{NAME}/manifests/latest").data == child
        assert pulls(alice, digest_of(signature)) == 200
        assert alice.get(f"/v2/{NAME}/blobs/{digest_of(layer)}").data == layer
        assert "can no longer be restored" in restore(visitor, digest).text
    assert Upkeep(app).rows("DeletedReference") == 0


@COLLECTS
@pytest.mark.parametrize("way", ["time", "for good"])
def test_deletion_becomes_final(app: Flask, visitor: Visitor, way: str) -> None:
    """After the time, or the choice of a user, the image cannot be restored and its
    space is free."""
    alice = RegistryClient.of(app, "alice")
    digest = digest_of(alice.push_image(NAME, layer=b"only here"))
    delete(visitor, digest)
    if way == "for good":
        asked = visitor.send(f"{HELLO}/-/images/forget", digest=digest)
        visitor.follow_form(asked)
    with later(timedelta(days=7, minutes=1) if way == "time" else LONG):
        assert digest[7:19] not in visitor.get(f"{HELLO}/-/history").text
        assert "can no longer be restored" in restore(visitor, digest).text
        Upkeep(app).gc()
        blob = f"/v2/{NAME}/blobs/{digest_of(b'only here')}"
        assert alice.get(blob).status_code == 404
    assert Upkeep(app).rows("DeletedManifest") == 0


def test_one_click_undoes_a_deletion_of_several_tags_and_images(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """It restores what the form deleted, and neither earlier deletions nor those of
    other users. A tag that was pushed again stays."""
    contents = [alice.push_image(NAME, str(n), layer=bytes([n])) for n in range(4)]
    for tags in (["0"], ["1", "2", "3"]):
        asked = visitor.send(f"{HELLO}/-/tags/delete", tag=tags)
        page = visitor.get(str(visitor.follow_form(asked).location))
    assert "Deleted 3 tags." in page.text
    alice.push_manifest(NAME, contents[1], "2")
    again = undo(visitor, page)
    assert "Restored 2 tags." in again.text
    assert not [f for f in again.forms() if f.action.endswith("/-/undo")]
    found = [pulls(alice, str(n)) for n in range(4)]
    assert found == [404, 200, 200, 200]
    assert alice.get(f"/v2/{NAME}/manifests/2").data == contents[1]
    assert "Nothing could be restored." in undo(visitor, page).text

    whole = index(descriptor(contents[3], OCI_MANIFEST))
    alice.push_manifest(NAME, whole, "all")
    page = delete(visitor, digest_of(contents[3]), digest_of(whole))
    assert "Deleted 2 images." in page.text
    other = Visitor(app, "bob")
    with app.app_context():
        registry.repositories.transfer(NAME, user_named("bob"))
    assert "Nothing could be restored." in undo(other, page).text
    with app.app_context():
        registry.repositories.transfer(NAME, user_named("alice"))
    assert "Restored 2 images." in undo(visitor, page).text
    assert {pulls(alice, "all"), pulls(alice, "3")} == {200}
    for fields in ({"kind": "x"}, {"after": "-1"}, {"until": ""}):
        values = {"kind": "tags", "after": "0", "until": "9"} | fields
        assert visitor.send(f"{HELLO}/-/undo", **values).status == 400


@pytest.mark.options(oci_retention=["delete * older than 1 day"])
@pytest.mark.parametrize("kind", ["tags", "images"])
def test_undone_deletion_leaves_the_newest_tag_and_is_not_repeated(
    app: Flask, alice: RegistryClient, visitor: Visitor, kind: str
) -> None:
    """The commands stay those of the last push, the restored tag has its former place,
    and the next run of retention does not delete what a user has just restored."""
    digest = digest_of(alice.push_image(NAME, "old", layer=b"old"))
    with later(timedelta(hours=1)):
        alice.push_image(NAME, "other", layer=b"other")
        # The last push counts, although the tag does not move.
        alice.push_image(NAME, "old", layer=b"old")
    with later(timedelta(hours=2)):
        alice.push_image(NAME, "new", layer=b"new")
    with later(timedelta(days=2)):
        selected = {"tag": "old"} if kind == "tags" else {"digest": digest}
        asked = visitor.send(f"{HELLO}/-/{kind}/delete", **selected)
        done = visitor.follow_form(asked)
        assert "Restored 1" in undo(visitor, visitor.get(str(done.location))).text
        page = visitor.get(HELLO)
        assert f"docker pull localhost/{NAME}:new" in page.text
        boxes = [box["value"] for box in page.all("input") if box.get("name") == "tag"]
        assert boxes == ["new", "old", "other"]
        with app.app_context():
            deleted = registry.apply_retention()
        assert [v.tag for v in deleted if v.deleted] == ["new", "other"]


@pytest.mark.options(oci_undo_period=None)
def test_deletion_without_undo_says_so(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """If nothing can be undone, the confirmation says so, and no copy is kept."""
    digest = digest_of(alice.push_image(NAME, "1.0"))
    asked = visitor.send(f"{HELLO}/-/images/delete", digest=digest)
    assert "This cannot be undone." in asked.text
    delete(visitor, digest)
    assert Upkeep(app).rows("DeletedManifest") == 0
    assert "can no longer be restored" in restore(visitor, digest).text


def test_several_untagged_images_are_deleted_at_once(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """Each untagged image has a checkbox."""
    digests = [
        digest_of(alice.push_image(NAME, layer=b"%d" % number)) for number in range(3)
    ]
    page = visitor.get(HELLO, show="untagged")
    boxes = {box["value"] for box in page.all("input") if box.get("name") == "digest"}
    assert boxes == set(digests)
    assert "Deleted 2 images." in delete(visitor, *digests[:2]).text
    assert [pulls(alice, digest) for digest in digests] == [404, 404, 200]
    assert (
        "Select at least one image."
        in visitor.get(
            str(visitor.send(f"{HELLO}/-/images/delete", digest="nothing").location)
        ).text
    )


def test_index_is_deleted_with_its_children_or_keeps_them(
    alice: RegistryClient, visitor: Visitor
) -> None:
    """An image that an index needs stays; a selection of both deletes both."""
    child = alice.push_image(NAME)
    whole = index(descriptor(child, OCI_MANIFEST))
    alice.push_manifest(NAME, whole)
    assert "is needed by" in delete(visitor, digest_of(child)).text
    assert pulls(alice, digest_of(child)) == 200
    page = delete(visitor, digest_of(child), digest_of(whole))
    assert "Deleted 2 images." in page.text
    # The index can be restored only after its child.
    assert digest_of(child)[7:19] in restore(visitor, digest_of(whole)).html
    assert pulls(alice, digest_of(whole)) == 404
    restore(visitor, digest_of(child))
    restore(visitor, digest_of(whole))
    assert pulls(alice, digest_of(whole)) == 200


def test_protected_tags_and_quotas_are_respected(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """No image of the selection is deleted if one has a protected tag, and none is
    restored beyond a quota."""
    first = digest_of(alice.push_image(NAME, "1.0", layer=b"first"))
    second = digest_of(alice.push_image(NAME, "v1", layer=b"second"))
    with app.app_context():
        registry.tag_protection.set(immutable=["v*"], repository=NAME)
    assert "v1" in delete(visitor, first, second).text
    assert [pulls(alice, digest) for digest in (first, second)] == [200, 200]
    assert "Deleted 1 image." in delete(visitor, first).text
    with app.app_context():
        registry.quotas.set(repository=NAME, images=1)
    assert "quota" in restore(visitor, first).text
    assert pulls(alice, first) == 404


def test_copies_end_with_their_repository_and_user(
    app: Flask, alice: RegistryClient, visitor: Visitor, admin: Administrator
) -> None:
    """A deleted user is forgotten in the history, and a deleted repository takes its
    copies along."""
    digest = digest_of(alice.push_image(NAME, "1.0"))
    delete(visitor, digest)
    Deleted = registry.models.DeletedManifest
    admin.delete_user("alice")
    with app.app_context():
        assert list(db.session.scalars(sa.select(Deleted.deleted_by_id))) == [None]
        registry.repositories.delete(NAME)
    upkeep = Upkeep(app)
    assert upkeep.rows("DeletedManifest") == upkeep.rows("DeletedReference") == 0


def test_images_that_can_be_restored_count_for_the_quota(
    app: Flask, alice: RegistryClient, visitor: Visitor
) -> None:
    """Otherwise, large manifests that are deleted again would fill the database."""
    alice.push_image(NAME, "1.0")
    with app.app_context():
        full = registry.quotas.show(repository=NAME).bytes + 50_000
        registry.quotas.set(repository=NAME, bytes=full)

    def pushed(number: int) -> tuple[str, int]:
        content = image(LAYER, annotations={"n": str(number), "x": "x" * 30_000})
        alice.push_blob(NAME, LAYER)
        digest = digest_of(content)
        return digest, alice.put_manifest(NAME, digest, content).status_code

    first, status = pushed(1)
    assert status == 201
    with app.app_context():
        before = registry.quotas.show(repository=NAME).bytes
    delete(visitor, first)
    with app.app_context():
        assert registry.quotas.show(repository=NAME).bytes == before
    assert pushed(2)[1] == 403
    restore(visitor, first)
    assert pulls(alice, first) == 200
    delete(visitor, first)
    asked = visitor.send(f"{HELLO}/-/images/forget", digest=first)
    visitor.follow_form(asked)
    assert pushed(2)[1] == 201
