"""Buckets: what is acknowledged stays, after lost answers and with the wrong bucket."""

from __future__ import annotations

import io
import typing as t
from contextlib import closing
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.errors import Unavailable
from flask_oci.storage.buckets import Body
from flask_oci.testing import MemoryBucket
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.requests import with_query
from tests.conftest import MakeApp
from tests.support.host import db
from tests.support.interleaving import in_thread
from tests.support.interleaving import interleaved
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep

NAME = "alice/app"
LOST = sa.exc.OperationalError("COMMIT", None, OSError("the connection was lost"))
PATH = f"/v2/{NAME}/blobs/{digest_of(LAYER)}"


def _bucket(name: str = "memory") -> MemoryBucket:
    bucket = MemoryBucket(part_size=1000)
    bucket.name = name
    return bucket


class CutBody(io.BytesIO):
    """A body that ends with an error after some bytes."""

    def __init__(self, content: bytes, length: int) -> None:
        super().__init__(content[:length])
        self._is_whole = len(content) <= length

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        if not found and not self._is_whole:
            raise Unavailable("The connection ended.")
        return found


class CuttingBucket(MemoryBucket):
    """A bucket that sends few bytes in each answer."""

    length = 1000

    def get(self, key: str, start: int = 0, stop: int | None = None) -> Body:
        with closing(super().get(key, start, stop)) as body:
            return CutBody(body.read(len(self.objects[key][0])), self.length)


class LostCommits:
    """A database whose commits take effect, but one of which has no answer.

    :param at: the index of that commit.
    """

    def __init__(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        with app.app_context():
            dialect = db.engine.dialect
        commit = dialect.do_commit
        self.left: int | None = None

        def losing(connection: t.Any) -> None:
            commit(connection)
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    self.left = None
                    raise LOST

        monkeypatch.setattr(dialect, "do_commit", losing)


@pytest.mark.parametrize("content", [LAYER, bytes(range(256)) * 10])
def test_each_commit_of_a_push_may_have_no_answer(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """If the client is told at its second attempt that the blob is stored, it is."""
    app = make_app(OCI_STORAGE=_bucket())
    alice, commits = RegistryClient.of(app, "alice"), LostCommits(app, monkeypatch)
    path = f"/v2/{NAME}/blobs/{digest_of(content)}"
    at, failures, repeated = 0, 0, 0
    while True:
        location = alice.start_upload(NAME)
        last = with_query(location, digest=digest_of(content))
        commits.left = at
        status = alice.put(last, content).status_code
        is_over, commits.left = commits.left is not None, None
        if status != 201:
            failures += 1
            status = alice.put(last).status_code
            repeated += status == 201
        if status == 201:
            assert alice.get(path).data == content, at
        assert alice.delete(path).status_code in (202, 404)
        if is_over:
            break
        at += 1
    assert failures > 3
    assert repeated


def test_download_continues_after_cut_answers(make_app: MakeApp) -> None:
    """Each further request asks for the rest. If an answer has no bytes at all, the
    download ends with an error instead of fewer bytes."""
    bucket = CuttingBucket(part_size=1000)
    alice = RegistryClient.of(make_app(OCI_STORAGE=bucket), "alice")
    content = bytes(range(256)) * 40
    digest = alice.push_blob(NAME, content)
    assert alice.blob(NAME, digest) == content
    bucket.length = 0
    with pytest.raises(Unavailable, match="The connection ended"):
        alice.blob(NAME, digest)


def test_session_whose_bytes_are_in_another_bucket_begins_anew(
    make_app: MakeApp,
) -> None:
    """The location of an object says nothing in a bucket that does not have it. The
    collection deletes what the session left."""
    first, second = _bucket("first"), _bucket("second")
    alice = RegistryClient.of(make_app(OCI_STORAGE=first), "alice")
    location = alice.start_upload(NAME)
    location = alice.patch(location, LAYER).headers["Location"]
    app = make_app(OCI_STORAGE=second, OCI_STORAGE_ALSO=[first])
    alice, keeper = RegistryClient.of(app, "alice"), Upkeep(app)
    response = alice.put(with_query(location, digest=digest_of(LAYER)))

    assert refusal(response) == (404, "BLOB_UPLOAD_UNKNOWN")
    alice.push_blob(NAME, LAYER)
    assert alice.get(PATH).data == LAYER
    with later(timedelta(days=40)):
        keeper.gc()
    assert not [key for key in first.objects if key.startswith("data/")]
    assert keeper.rows("BucketUpload") == 0


def test_wrong_bucket_of_new_blobs_is_named(make_app: MakeApp) -> None:
    """The message for clients does not contain the name of the bucket."""
    app = make_app(OCI_STORAGE=_bucket("first"))
    RegistryClient.of(app, "alice").push_blob(NAME, LAYER)
    for objects, problem in (
        ({}, "The bucket of OCI_STORAGE lacks the blobs"),
        ({"identity": (b"another", 1.0)}, "The bucket of OCI_STORAGE belongs to"),
    ):
        wrong = _bucket("first")
        wrong.objects = dict(objects)
        app = make_app(OCI_STORAGE=wrong)
        path = with_query(f"/v2/{NAME}/blobs/uploads/", digest=digest_of(b"new"))
        response = RegistryClient.of(app, "alice").request("POST", path, b"new")
        assert response.status_code == 503
        assert problem in response.text
        assert "first" not in response.text
        assert problem in Upkeep(app).run("check", "--json").stdout
        assert wrong.objects == objects


@pytest.mark.parametrize("other", ["empty", "foreign"])
def test_wrong_further_bucket_is_not_repaired_and_loses_nothing(
    make_app: MakeApp, other: str
) -> None:
    """An address with another endpoint has the same name and other objects."""
    first, second, wrong = _bucket("first"), _bucket("second"), _bucket("first")
    alice = RegistryClient.of(make_app(OCI_STORAGE=first), "alice")
    alice.push_blob(NAME, LAYER)
    app = make_app(OCI_STORAGE=second, OCI_STORAGE_ALSO=[first])
    alice = RegistryClient.of(app, "alice")
    alice.push_blob(NAME, b"new")
    alice.push_manifest(NAME, image(config=LAYER), "1")
    theirs: dict[str, tuple[bytes, float]] = {}
    if other == "foreign":
        theirs = {"data/00/theirs": (b"theirs", 1.0), "identity": (b"another", 1.0)}
    wrong.objects = dict(theirs)
    keeper = Upkeep(make_app(OCI_STORAGE=second, OCI_STORAGE_ALSO=[wrong]))

    assert keeper.kinds("--repair", status=1) == [("foreign", "first")]
    assert "bucket-foreign" in keeper.run("check", "--json").stdout
    if theirs:
        result = keeper.run("storage", "migrate", "--to", "first")
        assert "another registry" in result.stderr
    with later(LONG):
        keeper.run("gc")
    assert wrong.objects == theirs
    keeper = Upkeep(make_app(OCI_STORAGE=second, OCI_STORAGE_ALSO=[first]))
    assert keeper.fsck("--scrub") == []
    assert RegistryClient.of(keeper.app, "alice").get(PATH).data == LAYER


def test_discarded_objects_of_wrong_bucket_wait_for_the_right_one(
    make_app: MakeApp,
) -> None:
    first, second = _bucket("first"), _bucket("second")
    RegistryClient.of(make_app(OCI_STORAGE=first), "alice").push_blob(NAME, LAYER)
    keeper = Upkeep(make_app(OCI_STORAGE=second, OCI_STORAGE_ALSO=[first]))
    assert keeper.run("storage", "migrate", "--to", "second").exit_code == 0
    wrong = _bucket("first")
    wrong.put("identity", b"another")
    keeper = Upkeep(make_app(OCI_STORAGE=second, OCI_STORAGE_ALSO=[wrong]))
    with later(LONG):
        assert "another registry" in keeper.run("gc").stderr
        keeper = Upkeep(make_app(OCI_STORAGE=second, OCI_STORAGE_ALSO=[first]))
        keeper.gc()
    assert list(first.objects) == ["identity"]


def test_push_at_each_step_of_the_repair_of_a_lost_object_is_kept(
    make_app: MakeApp,
) -> None:
    """The repair forgets a lost blob, unless a client has pushed it again."""
    bucket = _bucket()
    app = make_app(OCI_STORAGE=bucket)
    alice, keeper = RegistryClient.of(app, "alice"), Upkeep(app)
    at, count = 0, 1
    while at < count:
        alice.delete(PATH)
        alice.push_blob(NAME, LAYER)
        for key in [key for key in bucket.objects if key.startswith("data/")]:
            del bucket.objects[key]
        rival = in_thread(lambda: alice.push_blob(NAME, LAYER))
        with interleaved(app, rival, at) as steps:
            keeper.run("fsck", "--repair")
        count = steps.count
        assert alice.get(PATH).data == LAYER, at
        at += 1
    assert at > 10
    assert keeper.fsck() == []


def test_damaged_file_of_a_moved_blob_takes_no_links(make_app: MakeApp) -> None:
    """Until the end of the grace period, the blob is also a file that is not
    read."""
    bucket = _bucket()
    RegistryClient.of(make_app(), "alice").push_blob(NAME, LAYER)
    app = make_app(OCI_STORAGE=bucket)
    alice, keeper = RegistryClient.of(app, "alice"), Upkeep(app)
    assert keeper.run("storage", "migrate", "--to", "memory").exit_code == 0
    keeper.blob(digest_of(LAYER)).chmod(0o600)
    keeper.store(digest_of(LAYER), b"damaged")
    keeper.run("fsck", "--scrub", "--repair")
    assert alice.get(PATH).data == LAYER
    assert keeper.fsck() == []


def test_scrub_reports_an_object_that_is_too_short(make_app: MakeApp) -> None:
    """The other blobs are read, and a repair has the next push replace it."""
    bucket = _bucket()
    app = make_app(OCI_STORAGE=bucket)
    alice, keeper = RegistryClient.of(app, "alice"), Upkeep(app)
    for content in (LAYER, b"intact"):
        alice.push_blob(NAME, content)
        alice.push_manifest(NAME, image(config=content), f"v{len(content)}")
    key = next(k for k, (body, _) in bucket.objects.items() if body == LAYER)
    bucket.objects[key] = (LAYER[:3], 4e9)
    damaged = ("damaged", digest_of(LAYER))
    assert keeper.kinds("--scrub", status=1) == [damaged, damaged]
    assert keeper.kinds("--scrub", "--repair", status=1) == [damaged]
    alice.push_blob(NAME, LAYER)
    assert keeper.kinds("--scrub") == []
