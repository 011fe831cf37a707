"""Recovery: uploads that a crash or a fault interrupted continue or start again."""

from __future__ import annotations

import errno
import os

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.testing import Faults
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.requests import with_query
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep

NAME = "alice/app"
CONTENT = b"what is pushed " * 9
DIGEST = digest_of(CONTENT)
BLOB = f"/v2/{NAME}/blobs/{DIGEST}"


@pytest.fixture(name="keeper")
def _keeper(app: Flask) -> Upkeep:
    """An administrator with access to the disk."""
    return Upkeep(app)


def start(client: RegistryClient, *chunks: bytes) -> str:
    """Start an upload session with some chunks, and return the URL that ends it."""
    location = client.start_upload(NAME)
    for chunk in chunks:
        assert client.patch(location, chunk).status_code == 202
    return with_query(location, digest=DIGEST)


def fail_to_record(client: RegistryClient, put: str, body: bytes = b"") -> None:
    """End a session with a fault between the rename of its file and the commit."""
    keeper = Upkeep(client.app)
    for at in range(99):
        with Faults(client.app).database(at):
            response = client.put(put, body)
        assert response.status_code == 503
        if keeper.blobs():
            assert keeper.rows("Blob") == 0
            assert keeper.uploads() == set()
            return
    raise AssertionError("the bytes never became a blob")


@pytest.mark.parametrize(
    ("chunks", "body"),
    [([CONTENT], b""), ([CONTENT[:9], CONTENT[9:]], b""), ([], CONTENT)],
    ids=["one PATCH", "two PATCHes", "in the PUT"],
)
def test_put_after_a_fault_ends_the_session_once(
    alice: RegistryClient, keeper: Upkeep, chunks: list[bytes], body: bytes
) -> None:
    """A session whose file is a blob without a row ends with the same PUT, once."""
    put = start(alice, *chunks)
    fail_to_record(alice, put, body)
    assert alice.head(BLOB).status_code == 404

    response = alice.put(put, body)

    assert response.status_code == 201
    assert response.headers["Docker-Content-Digest"] == DIGEST
    assert alice.get(BLOB).data == CONTENT
    assert refusal(alice.put(put, body)) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert keeper.uploads() == set()
    assert keeper.rows("Upload") == 0


def test_put_with_last_bytes_after_a_fault_succeeds(alice: RegistryClient) -> None:
    """A repeated PUT with the last bytes succeeds as well."""
    put = start(alice, CONTENT[:9])
    fail_to_record(alice, put, CONTENT[9:])
    assert alice.put(put, CONTENT[9:]).status_code == 201
    assert alice.get(BLOB).data == CONTENT


def test_put_without_saved_hash_starts_again(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """Without the saved hash of a session, the client starts again."""
    put = start(alice, CONTENT)
    fail_to_record(alice, put)
    (note,) = keeper.folder.glob("notes/*")
    for left in ("", "135", f"135 {DIGEST[:-1]}", f"{DIGEST}", f"-1 {DIGEST}"):
        note.write_text(left)
        assert refusal(alice.put(put)) == (404, "BLOB_UPLOAD_UNKNOWN")
    alice.push_blob(NAME, CONTENT)
    assert alice.get(BLOB).data == CONTENT


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_session_ends_after_a_failed_flush(
    alice: RegistryClient, keeper: Upkeep, method: str
) -> None:
    """A session ends if the disk fails to flush its bytes, because the next flush would
    succeed without them."""
    # The folders are there, so that the file is what is flushed first.
    alice.push_image(NAME, "1.0")
    put = start(alice, CONTENT[:9])
    with Faults(alice.app).disk(0, errno.EIO, ["fsync"]):
        assert alice.request(method, put, CONTENT[9:]).status_code == 503
    assert refusal(alice.put(put)) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert keeper.uploads() == set()
    assert DIGEST not in keeper.blobs()


def test_put_after_a_collection_starts_again(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """If the collection deleted the blob in between, the client starts again."""
    put = start(alice, CONTENT)
    fail_to_record(alice, put)
    # The collection spares a file that was written a short time ago.
    assert keeper.gc()["blobs"] == []
    os.utime(keeper.blob(DIGEST), (0, 0))
    assert keeper.gc()["blobs"] == [DIGEST]
    assert refusal(alice.put(put)) == (404, "BLOB_UPLOAD_UNKNOWN")
    alice.push_blob(NAME, CONTENT)
    assert alice.get(BLOB).data == CONTENT


def test_put_cannot_link_the_blob_of_another_user(
    alice: RegistryClient, bob: RegistryClient, keeper: Upkeep
) -> None:
    """A session without bytes does not end with the blob of another user."""
    bob.push_blob("bob/private", LAYER)
    guess = b"guessed"
    assert len(guess) == len(LAYER)
    for chunk in (b"", CONTENT, LAYER[:3], guess):
        put = start(alice, chunk)
        for file in keeper.folder.glob("uploads/*"):
            file.unlink()
        location = put.partition("?")[0]
        response = alice.put(with_query(location, digest=digest_of(LAYER)))
        assert refusal(response) == (404, "BLOB_UPLOAD_UNKNOWN")
        response = alice.put(with_query(location, digest=digest_of(LAYER)), guess)
        assert response.status_code in (400, 404)
    path = f"/v2/{NAME}/blobs/{digest_of(LAYER)}"
    assert alice.get(path).status_code == 404
    assert bob.get(f"/v2/bob/private/blobs/{digest_of(LAYER)}").data == LAYER


def test_session_shorter_than_its_saved_hash_ends(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """A session whose file is shorter than its saved hash ends, because other bytes
    could follow."""
    put = start(alice, LAYER)
    (path,) = keeper.folder.glob("uploads/*")
    path.write_bytes(LAYER[:3])
    location = put.partition("?")[0]

    for method, url in (("PATCH", location), ("PUT", put)):
        response = alice.request(method, url, b"ABCD")
        assert refusal(response) == (404, "BLOB_UPLOAD_UNKNOWN")
    response = alice.put(with_query(location, digest=digest_of(LAYER)))
    assert refusal(response) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert keeper.blobs() == set()


def test_upload_continues_after_a_crash(alice: RegistryClient, keeper: Upkeep) -> None:
    """After a crash during a PATCH, the client continues at the stored length."""
    put = start(alice, CONTENT[:9])
    location = put.partition("?")[0]
    (path,) = keeper.folder.glob("uploads/*")
    with path.open("ab") as file:
        file.write(CONTENT[9:20])

    assert alice.get(location).headers["Range"] == "0-19"
    assert alice.patch(location, CONTENT[20:]).status_code == 202
    assert alice.put(put).status_code == 201
    assert alice.get(BLOB).data == CONTENT


def test_upload_file_without_row_causes_no_error(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """Files of sessions that a restored database does not have cause no error."""
    put = start(alice, CONTENT)
    keeper.execute(sa.delete(registry.models.Upload))
    assert refusal(alice.put(put)) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert keeper.fsck() == []
    with later(LONG * 9):
        assert len(keeper.gc()["uploads"]) == 1
    assert keeper.uploads() == set()


def test_session_on_a_full_disk_leaves_no_row(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """A session that a full disk prevents leaves no row."""
    keeper.folder.mkdir()
    (keeper.folder / "uploads").write_bytes(b"in the way")
    response = alice.post(f"/v2/{NAME}/blobs/uploads/")
    assert refusal(response) == (503, "UNAVAILABLE")
    assert keeper.rows("Upload") == 0
    (keeper.folder / "uploads").unlink()
    assert alice.post(f"/v2/{NAME}/blobs/uploads/").status_code == 202


def test_left_lock_files_block_no_request(
    alice: RegistryClient, keeper: Upkeep
) -> None:
    """Left lock files block no request, and may be deleted."""
    alice.push_image(NAME, "1.0")
    assert list(keeper.folder.glob("locks/*"))
    alice.push_image(NAME, "1.0")
    for path in keeper.folder.glob("locks/*"):
        path.unlink()
    alice.push_image(NAME, "1.0")
    with later(LONG):
        keeper.gc()
    assert alice.get(f"/v2/{NAME}/blobs/{digest_of(CONFIG)}").data == CONFIG
