"""The budget of each request, in counts that are the same on every machine.

A change that reduces the cost of a request lowers its number here. No number may grow
with the stored content.
"""

from __future__ import annotations

import os
import stat
import sys
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.requests import basic
from flask_oci.testing.requests import with_query
from tests.support.host import DATABASE_URL
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.registry_client import Source
from tests.support.statements import OVERHEAD

from .conftest import NAME

MIB = 1024 * 1024
MANIFEST = image(b"a layer")
LAYER = digest_of(b"a layer")

#: Whether requests that write use rows that were kept. A server would execute a
#: statement for each comparison of its version.
KEEPS_ROWS = DATABASE_URL is None

Ask = t.Callable[[RegistryClient], object]


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Collect every SQL statement, except the BEGIN that only SQLite needs."""
    statements: list[str] = []

    def collect(
        _connection: object, _cursor: object, statement: str, *_rest: object
    ) -> None:
        # PostgreSQL's version is asked for, which reads no table.
        if not statement.startswith(OVERHEAD):
            statements.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", collect)
    try:
        yield statements
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", collect)


@contextmanager
def counted_fsyncs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collect the kind of each flush to the disk: "file" or "folder"."""
    flushed: list[str] = []

    def fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        flushed.append("folder" if is_folder else "file")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield flushed


@pytest.fixture(name="stored")
def _stored(machine: RegistryClient) -> RegistryClient:
    """The same client, after a push of an image."""
    machine.push_image(NAME, "latest", layer=b"a layer")
    # A pull is recorded once an hour, after the answer.
    machine.get(f"/v2/{NAME}/manifests/latest")
    return machine


#: The most statements of each request, including the host's query for its user.
STATEMENTS: dict[str, tuple[int, Ask]] = {
    "GET by tag": (4, lambda c: c.get(f"/v2/{NAME}/manifests/latest")),
    "HEAD by tag": (4, lambda c: c.head(f"/v2/{NAME}/manifests/latest")),
    "GET by digest": (
        4,
        lambda c: c.get(f"/v2/{NAME}/manifests/{digest_of(MANIFEST)}"),
    ),
    "HEAD by digest": (
        4,
        lambda c: c.head(f"/v2/{NAME}/manifests/{digest_of(MANIFEST)}"),
    ),
    "GET blob": (4, lambda c: c.get(f"/v2/{NAME}/blobs/{LAYER}")),
    "HEAD blob": (4, lambda c: c.head(f"/v2/{NAME}/blobs/{LAYER}")),
    "tags": (4, lambda c: c.get(f"/v2/{NAME}/tags/list")),
    "catalog": (3, lambda c: c.get("/v2/_catalog")),
    "referrers": (5, lambda c: c.get(f"/v2/{NAME}/referrers/{LAYER}")),
    "support": (2, lambda c: c.get("/v2/")),
    "POST upload": (5, lambda c: c.start_upload(NAME)),
    "mount": (
        9,
        lambda c: c.post(
            f"/v2/{NAME}/blobs/uploads/", query={"mount": LAYER, "from": NAME}
        ),
    ),
    "PUT of a known manifest": (
        13,
        lambda c: c.push_manifest(NAME, MANIFEST, "latest"),
    ),
    "PUT of a new manifest": (
        # One of them reads the user again, after the body has arrived.
        15,
        lambda c: c.push_manifest(NAME, image(b"a layer", annotations={}), "new"),
    ),
}


@pytest.mark.parametrize("request_kind", STATEMENTS)
def test_request_stays_within_statement_budget(
    stored: RegistryClient, request_kind: str
) -> None:
    """No request needs more statements than its budget."""
    budget, ask = STATEMENTS[request_kind]
    with counted_statements() as statements:
        ask(stored)
    assert len(statements) <= budget, "\n".join(statements)


class Change(t.NamedTuple):
    """A request that can be sent once, and the preparation of its target."""

    budget: int
    make: t.Callable[[RegistryClient], str]
    """Prepares the target, and returns its address."""

    ask: t.Callable[[RegistryClient, str], TestResponse]


def _pushed(content: bytes) -> t.Callable[[RegistryClient], str]:
    def push(client: RegistryClient) -> str:
        return f"/v2/{NAME}/blobs/{client.push_blob(NAME, content)}"

    return push


def _tagged(client: RegistryClient) -> str:
    client.push_manifest(NAME, MANIFEST, "going")
    return f"/v2/{NAME}/manifests/going"


def _untagged(client: RegistryClient) -> str:
    digest = client.push_manifest(NAME, image(b"a layer", going=True))
    return f"/v2/{NAME}/manifests/{digest}"


def _begun(client: RegistryClient) -> str:
    return client.start_upload(NAME)


def _sent(client: RegistryClient) -> str:
    location = client.patch(_begun(client), b"content", chunked=True).location
    return with_query(str(location), digest=digest_of(b"content"))


#: The most statements of each request that can be sent only once.
CHANGES: dict[str, Change] = {
    "PATCH": Change(4, _begun, lambda c, at: c.patch(at, b"content", chunked=True)),
    "closing PUT": Change(6 if KEEPS_ROWS else 9, _sent, lambda c, at: c.put(at)),
    "DELETE upload": Change(5, _begun, lambda c, at: c.delete(at)),
    "DELETE tag": Change(11, _tagged, lambda c, at: c.delete(at)),
    "DELETE manifest": Change(12, _untagged, lambda c, at: c.delete(at)),
    "DELETE blob": Change(8, _pushed(b"going"), lambda c, at: c.delete(at)),
}


def statements_of(client: RegistryClient, change: Change) -> list[str]:
    """Return the statements of a request, which has to succeed."""
    address = change.make(client)
    with counted_statements() as statements:
        assert change.ask(client, address).status_code < 300
    return statements


@pytest.mark.parametrize("request_kind", CHANGES)
def test_change_stays_within_statement_budget(
    stored: RegistryClient, request_kind: str
) -> None:
    """A request that continues an upload or deletes content stays within its budget, in
    a small and in a large repository."""
    change = CHANGES[request_kind]
    # The first request of a kind may fill a cache.
    statements_of(stored, change)
    statements = statements_of(stored, change)
    assert len(statements) <= change.budget, "\n".join(statements)
    for number in range(30):
        push_referrer(stored, number)
        stored.push_manifest(NAME, image(b"a layer", number=number), f"t{number}")
        stored.start_upload(NAME)
    assert len(statements_of(stored, change)) == len(statements)


def test_token_request_stays_within_statement_budget(
    app: Flask, stored: RegistryClient
) -> None:
    """The cost of a token grows only with the number of requested repositories."""
    with app.test_request_context():
        alice = registry._catalog.users.by_name("alice")
        secret = registry.access_tokens.issue(alice).secret
    client = RegistryClient(app, basic("alice", secret))
    client.bearer()
    with counted_statements() as statements:
        client.bearer(f"repository:{NAME}:pull,push")
    assert len(statements) <= 5, "\n".join(statements)


def push_streamed(client: RegistryClient, content: bytes) -> None:
    """Push a blob as docker does: POST, PATCH, PUT."""
    location = client.start_upload(NAME)
    patched = client.patch(location, content, chunked=True)
    assert patched.status_code == 202
    location = with_query(patched.headers["Location"], digest=digest_of(content))
    assert client.put(location).status_code == 201


def test_push_of_small_image_stays_within_statement_budget(
    stored: RegistryClient,
) -> None:
    """The image has a config and one layer."""
    layer, config = b"another layer", b'{"os":"linux","other":1}'
    with counted_statements() as statements:
        for content in (layer, config):
            stored.head(f"/v2/{NAME}/blobs/{digest_of(content)}")
            push_streamed(stored, content)
        stored.push_manifest(NAME, image(layer, config=config), "another")
    assert len(statements) <= (53 if KEEPS_ROWS else 61), "\n".join(statements)


def test_push_flushes_blob_and_folder_once(
    stored: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blob that arrives in one stream is flushed once, and its folder once. The
    database flushes a manifest."""
    # The first blob creates the folder, and the second uses it.
    contents = contents_of_one_folder()
    push_streamed(stored, next(contents))
    with counted_fsyncs(monkeypatch) as flushed:
        push_streamed(stored, next(contents))
    assert sorted(flushed) == ["file", "folder"]

    with counted_fsyncs(monkeypatch) as flushed:
        stored.push_manifest(NAME, MANIFEST, "other")
    assert flushed == []


def contents_of_one_folder() -> Iterator[bytes]:
    """Yield contents whose digests have the same prefix, and so the same folder."""
    number = 0
    while True:
        content = f"content {number}".encode()
        if digest_of(content).startswith("sha256:ab"):
            yield content
        number += 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is told when to write")
def test_large_upload_is_written_before_its_flush(
    stored: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk writes a large blob during its arrival, except its last megabytes."""
    asked: list[int] = []
    left: list[int] = []
    fsync, advise = os.fsync, os.posix_fadvise

    def note_advice(fd: int, start: int, length: int, advice: int) -> None:
        # The ranges follow each other without an overlap or a gap.
        assert (start, advice) == (sum(asked), os.POSIX_FADV_DONTNEED)
        asked.append(length)
        advise(fd, start, length, advice)

    def note_flush(fd: int) -> None:
        left.append(os.fstat(fd).st_size - sum(asked))
        fsync(fd)

    location = stored.start_upload(NAME)
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fadvise", note_advice)
        patch.setattr(os, "fsync", note_flush)
        content = b"x" * (50 * MIB)
        assert stored.patch(location, content, chunked=True).status_code == 202
    assert len(asked) == 6
    assert 0 <= left[0] <= 8 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="/proc counts what is read")
@pytest.mark.parametrize(("chunks", "times"), [(1, 0), (4, 1)])
def test_push_reads_chunked_upload_at_most_once(
    stored: RegistryClient, chunks: int, times: int
) -> None:
    """The bytes of one stream are not read again, and bytes of several chunks are read
    once."""
    content = os.urandom(4 * MIB)
    location = stored.start_upload(NAME)
    source, size = Source(content), len(content) // chunks
    before = bytes_read()
    for _ in range(chunks):
        patched = stored.patch(location, environ=source.environ(size))
        assert patched.status_code == 202
    digest = digest_of(content)
    assert stored.put(with_query(location, digest=digest)).status_code == 201
    # The process also reads the database file.
    assert bytes_read() - before < times * len(content) + MIB / 2


def bytes_read() -> int:
    """Return the bytes that this process has read from files and connections."""
    fields = Path("/proc/self/io").read_text().split()
    return int(fields[fields.index("rchar:") + 1])


def test_statements_do_not_grow_with_stored_content(stored: RegistryClient) -> None:
    """The number does not depend on the number of tags, images and referrers."""
    path = f"/v2/{NAME}/referrers/{digest_of(MANIFEST)}"
    asked: dict[str, Ask] = {
        **{kind: ask for kind, (_, ask) in STATEMENTS.items()},
        "referrers": lambda client: client.get(path),
    }

    def counts() -> dict[str, int]:
        found = {}
        for kind, ask in asked.items():
            with counted_statements() as statements:
                ask(stored)
            found[kind] = len(statements)
        return found

    push_referrer(stored, 0)
    counts()
    few = counts()
    for number in range(1, 30):
        push_referrer(stored, number)
        stored.push_manifest(NAME, image(b"a layer", number=number), f"t{number}")
    assert counts() == few


def push_referrer(client: RegistryClient, number: int) -> None:
    """Push a referrer of the stored image."""
    subject = {
        "mediaType": OCI_MANIFEST,
        "digest": digest_of(MANIFEST),
        "size": len(MANIFEST),
    }
    manifest = image(config=CONFIG, subject=subject, number=number)
    client.push_manifest(NAME, manifest)
