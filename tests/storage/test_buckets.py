"""The contract of buckets, on memory and on real object stores."""

from __future__ import annotations

import contextlib
import re
import typing as t
import urllib.error
import urllib.request
import uuid

import pytest

from flask_oci.errors import Unavailable
from flask_oci.storage.buckets import Bucket
from flask_oci.storage.buckets import NoSuchUpload
from flask_oci.storage.buckets import Part
from flask_oci.testing import MemoryBucket
from tests.support.object_stores import Store
from tests.support.object_stores import STORES


class Opened(t.NamedTuple):
    """A bucket, and the same bucket as another process opens it."""

    bucket: Bucket
    other: Bucket


def marks(name: str) -> list[pytest.MarkDecorator]:
    """Return the marks of the tests on a store. ``.ci/install`` does not build rclone,
    which takes minutes."""
    full = [pytest.mark.full] if name == "rclone" else []
    return [pytest.mark.real, *full]


@pytest.fixture(
    name="store",
    scope="module",
    params=["memory", *(pytest.param(name, marks=marks(name)) for name in STORES)],
)
def _store(request: pytest.FixtureRequest) -> t.Iterator[Store | None]:
    if request.param == "memory":
        yield None
        return
    with STORES[request.param]() as store:
        yield store


@pytest.fixture(name="opened")
def _opened(store: Store | None) -> Opened:
    if store is None:
        bucket = MemoryBucket(5 * 1024 * 1024)
        return Opened(bucket, bucket)
    prefix = uuid.uuid4().hex
    return Opened(store.bucket(prefix), store.bucket(prefix))


def _read(bucket: Bucket, key: str, *span: int) -> bytes:
    with contextlib.closing(bucket.get(key, *span)) as body:
        return b"".join(iter(lambda: body.read(1000), b""))


def test_object_written_is_read_whole_and_in_ranges(opened: Opened) -> None:
    """An absent object is None or FileNotFoundError, and its deletion is ignored."""
    bucket = opened.bucket
    content = bytes(range(256)) * 20
    before = bucket.head("data/ab/one")
    bucket.put("data/ab/one", b"old")
    bucket.put("data/ab/one", bytearray(content))
    bucket.put("data/ab/empty", b"")
    head = opened.other.head("data/ab/one")
    assert before is None
    assert head is not None
    assert head.size == len(content)
    assert _read(opened.other, "data/ab/one") == content
    assert _read(bucket, "data/ab/one", 10, 2000) == content[10:2000]
    assert _read(bucket, "data/ab/one", 5000) == content[5000:]
    assert _read(bucket, "data/ab/empty") == b""
    bucket.delete_many(["data/ab/one", "data/ab/missing"])
    assert bucket.head("data/ab/one") is None
    with pytest.raises(FileNotFoundError):
        bucket.get("data/ab/one")


def test_parts_written_by_two_processes_become_one_object(opened: Opened) -> None:
    """The object appears when the upload is completed. A part that was replaced counts
    with its last bytes, and the last part is smaller."""
    bucket, other = opened
    big, key = b"ab" * (5 * 512 * 1024), "data/ab/parts"
    upload_id = bucket.create(key)
    first = bucket.part(key, upload_id, 1, big)
    last = bucket.part(key, upload_id, 2, b"the end")
    # rclone does not replace a part.
    with contextlib.suppress(Unavailable):
        last = other.part(key, upload_id, 2, bytearray(b"the END"))
    assert bucket.head(key) is None
    other.complete(key, upload_id, [first, last])
    head = bucket.head(key)
    assert head is not None
    assert head.size == len(big) + 7
    assert _read(bucket, key, len(big) - 2).lower() == b"abthe end"
    # A completed upload does not change, whatever a late process does.
    bucket.abort(key, upload_id)
    with contextlib.suppress(NoSuchUpload):
        bucket.complete(key, upload_id, [first, last])
    assert bucket.head(key) is not None


def test_complete_after_abort_or_with_replaced_part_raises(opened: Opened) -> None:
    """A replaced part never gets into an object silently."""
    bucket, key = opened.bucket, "data/ab/aborted"
    upload_id = bucket.create(key)
    part = bucket.part(key, upload_id, 1, b"one")
    other = Part(1, part.etag[:-3] + "abc", 3)
    with pytest.raises((NoSuchUpload, Unavailable)):
        bucket.complete(key, upload_id, [other])
    bucket.abort(key, upload_id)
    bucket.abort(key, upload_id)
    with pytest.raises(NoSuchUpload):
        bucket.complete(key, upload_id, [part])
    assert bucket.head(key) is None


def test_signed_url_reads_one_object_and_does_nothing_else(opened: Opened) -> None:
    """The URL is refused for another object, method or lifetime, and without its
    signature. The response has a type that no browser shows. A memory has no URL."""
    key, content = "data/ab/signed", bytes(range(256))
    for name in (key, "data/ab/other"):
        opened.bucket.put(name, content)
    url = opened.other.sign(key, 300)
    if isinstance(opened.bucket, MemoryBucket):
        assert url is None
        return
    assert url is not None
    status, headers, body = _ask("GET", url)
    part = _ask("GET", url, Range="bytes=10-19")
    assert (status, body) == (200, content)
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"] == "attachment"
    assert (part[0], part[2]) == (206, content[10:20])
    longer = re.sub(r"(X-Amz-Expires=|se=20)", r"\g<1>9", url)
    unsigned = url.partition("?")[0]
    typed = url.replace("octet-stream", "html")
    for changed in (url.replace("signed", "other", 1), longer, unsigned, typed):
        assert changed != url
        assert _ask("GET", changed)[0] in (400, 401, 403)
    for method in ("PUT", "DELETE", "POST"):
        assert _ask(method, url)[0] in (400, 403, 405)
    assert _read(opened.bucket, key) == content


def _ask(method: str, url: str, **headers: str) -> tuple[int, t.Any, bytes]:
    """Return the status, the headers and the body of a response."""
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return response.status, response.headers, response.read()


def test_list_begins_after_key_and_keeps_to_prefix(opened: Opened) -> None:
    """The order is that of the bytes of the keys."""
    bucket = opened.bucket
    for key in ("data/00/a", "data/00/b", "data/ff/c", "identity"):
        bucket.put(key, key.encode())
    every = [(found.key, found.size) for found in opened.other.list("data/")]
    assert every == [("data/00/a", 9), ("data/00/b", 9), ("data/ff/c", 9)]
    assert [f.key for f in bucket.list("data/", "data/00/a")] == [
        "data/00/b",
        "data/ff/c",
    ]
