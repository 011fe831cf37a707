"""Range and Content-Range, compared with a model that counts each byte."""

from __future__ import annotations

import hashlib
import itertools
import re
import typing as t
from dataclasses import dataclass

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from flask_oci.errors import BlobUploadInvalid
from flask_oci.spec.ranges import parse_content_range
from flask_oci.spec.ranges import Span
from flask_oci.testing.answers import errors
from tests.support.registry_client import RegistryClient

#: The database only says where a blob is.
pytestmark = pytest.mark.sqlite_only

#: Sizes around the buffer sizes of reading and sending.
SIZES = (0, 1, 2, 10, 65_536, 65_537, 1_048_577)

pure = settings(derandomize=True, deadline=None, max_examples=300)
# The blobs are pushed once and only read, so examples may share them.
over_http = settings(
    derandomize=True,
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@dataclass(frozen=True)
class Pushed:
    """A blob in the registry."""

    client: RegistryClient
    digest: str
    content: bytes

    def get(self, header: str, method: str = "GET", **headers: str) -> TestResponse:
        """Return the response to a request for a part of the blob."""
        return self.client.request(
            method,
            f"/v2/alice/app/blobs/{self.digest}",
            headers={"Range": header, **headers},
        )


@pytest.fixture(name="pushed")
def _pushed(alice: RegistryClient) -> dict[int, Pushed]:
    contents = {size: _patterned(size) for size in SIZES}
    return {
        size: Pushed(alice, alice.push_blob("alice/app", content), content)
        for size, content in contents.items()
    }


def _patterned(size: int) -> bytes:
    # No two positions have equal content, so a wrong position is detected.
    blocks = (hashlib.sha256(b"%d" % i).digest() for i in range(size // 32 + 1))
    return b"".join(blocks)[:size]


@dataclass(frozen=True)
class Wanted:
    """An element of a Range header: its text and its meaning."""

    text: str
    is_valid: bool
    covers: t.Callable[[int], range]


def _nothing(size: int) -> range:
    return range(0)


def _closed(first: int, last: int) -> Wanted:
    return Wanted(
        f"{first}-{last}",
        first <= last,
        lambda size: range(min(first, size), min(last + 1, size)),
    )


def _open(first: int) -> Wanted:
    return Wanted(f"{first}-", True, lambda size: range(min(first, size), size))


def _suffix(length: int) -> Wanted:
    return Wanted(f"-{length}", True, lambda size: range(max(size - length, 0), size))


positions = st.one_of(
    st.integers(0, 20),
    st.sampled_from([n + d for n in SIZES for d in (-1, 0, 1) if n + d >= 0]),
    st.sampled_from([2**31, 2**63, 10**30]),
)
valid_elements = st.one_of(
    st.builds(_closed, positions, positions).filter(lambda wanted: wanted.is_valid),
    st.builds(_open, positions),
    st.builds(_suffix, positions),
)
invalid_elements = st.one_of(
    st.builds(_closed, positions, positions).filter(lambda wanted: not wanted.is_valid),
    st.sampled_from(
        [
            "-",
            "--1",
            "1",
            "a-b",
            "1-2-3",
            "-1-2",
            "+1-2",
            "0x1-2",
            "1_0-20",
            "0;1",
            "1 -2",
        ]
    ).map(lambda text: Wanted(text, False, _nothing)),
)
padding = st.sampled_from(["", "", " ", "\t"])


@st.composite
def _headers(
    draw: st.DrawFn, elements: st.SearchStrategy[Wanted], most: int
) -> tuple[str, list[Wanted]]:
    wanted = draw(st.lists(elements, min_size=1, max_size=most))
    # "A recipient MUST parse and ignore a reasonable number of empty list
    # elements" (RFC 9110, section 5.6.1.2).
    texts = [draw(padding) + w.text + draw(padding) for w in wanted]
    if draw(st.booleans()):
        texts.insert(draw(st.integers(0, len(texts))), draw(padding))
    unit = draw(st.sampled_from(["bytes", "bytes", "Bytes", "BYTES"]))
    return f"{unit}={','.join(texts)}", wanted


@over_http
@given(st.sampled_from(SIZES), _headers(valid_elements, 4))
def test_valid_ranges_return_their_bytes(
    pushed: dict[int, Pushed], size: int, header: tuple[str, list[Wanted]]
) -> None:
    """Every valid Range gets the bytes of a simple count of positions."""
    blob, (text, wanted) = pushed[size], header
    spans = [span for w in wanted if (span := w.covers(size))]
    response = blob.get(text)
    if not size:
        # Any range of an empty blob returns all of it.
        assert (response.status_code, response.data) == (200, b"")
        return
    if not spans:
        assert response.status_code == 416
        assert response.headers["Content-Range"] == f"bytes */{size}"
        errors(response)
        return
    if _overlap(spans):
        assert response.status_code == 200
        assert response.data == blob.content
        return
    assert response.status_code == 206
    assert int(response.headers["Content-Length"]) == len(response.data)
    assert _parts(response) == [
        (
            f"bytes {span.start}-{span.stop - 1}/{size}",
            blob.content[span.start : span.stop],
        )
        for span in spans
    ]


@over_http
@given(
    st.sampled_from(SIZES),
    _headers(st.one_of(valid_elements, invalid_elements), 3),
)
def test_range_header_with_malformed_range_is_416(
    pushed: dict[int, Pushed], size: int, header: tuple[str, list[Wanted]]
) -> None:
    """The other ranges of the header do not matter."""
    blob, (text, wanted) = pushed[size], header
    response = blob.get(text)
    if all(w.is_valid for w in wanted):
        assert response.status_code in (200, 206, 416)
    else:
        assert response.status_code == 416
        assert response.headers["Content-Range"] == f"bytes */{size}"
        errors(response)


@over_http
@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40))
@example("bytes")
@example("bytes=")
@example("bytes=,")
@example("items=0-1")
@example("=0-1")
def test_any_range_header_returns_right_bytes_or_an_error(
    pushed: dict[int, Pushed], text: str
) -> None:
    """No Range header causes a server error or a wrong byte."""
    blob = pushed[10]
    response = blob.get(text)
    if response.status_code == 200:
        assert response.data == blob.content
    elif response.status_code == 206:
        for content_range, data in _parts(response):
            first, last, size = map(int, re.findall("[0-9]+", content_range))
            assert size == len(blob.content)
            assert data == blob.content[first : last + 1]
    else:
        assert response.status_code == 416
        errors(response)


@pytest.mark.parametrize("size", SIZES)
def test_head_with_range_returns_whole_size(
    pushed: dict[int, Pushed], size: int
) -> None:
    """Ranges are defined for GET only."""
    response = pushed[size].get("bytes=0-0", "HEAD")
    assert response.status_code == 200
    assert response.headers["Content-Length"] == str(size)
    assert response.data == b""


@pytest.mark.parametrize("count", [1024, 1025, 100_000])
def test_many_or_overlapping_ranges_return_the_whole_blob_once(
    pushed: dict[int, Pushed], count: int
) -> None:
    """Thousands of ranges cost no more than the blob."""
    blob = pushed[65_537]
    apart = blob.get("bytes=" + ",".join(f"{2 * i}-{2 * i}" for i in range(count)))
    assert len(apart.data) <= len(blob.content) + 1024 * 256
    on_top = blob.get("bytes=" + ",".join(["0-"] * count))
    assert on_top.status_code == 200
    assert on_top.data == blob.content


@pytest.mark.parametrize(
    ("condition", "status"),
    [("{digest}", 200), ('"{digest}"', 206), ('W/"{digest}"', 200), ('"other"', 200)],
)
def test_range_with_if_range_of_other_content_returns_whole_blob(
    pushed: dict[int, Pushed], condition: str, status: int
) -> None:
    """A Range counts only if If-Range has the ETag of the blob, in a strong
    comparison."""
    blob = pushed[10]
    response = blob.get(
        "bytes=1-2", **{"If-Range": condition.format(digest=blob.digest)}
    )
    assert response.status_code == status
    assert response.data == (blob.content[1:3] if status == 206 else blob.content)


def _overlap(spans: list[range]) -> bool:
    return any(
        max(one.start, other.start) < min(one.stop, other.stop)
        for one, other in itertools.combinations(spans, 2)
    )


def _parts(response: TestResponse) -> list[tuple[str, bytes]]:
    """Return the parts of an answer: each Content-Range with its bytes."""
    content_type = response.headers["Content-Type"]
    found = re.fullmatch(r"multipart/byteranges; boundary=([0-9a-zA-Z]+)", content_type)
    if found is None:
        assert content_type == "application/octet-stream"
        return [(response.headers["Content-Range"], response.data)]
    assert "Content-Range" not in response.headers
    before, *parts, end = response.data.split(b"--" + found[1].encode())
    assert (before, end) == (b"\r\n", b"--\r\n")
    return [_part(part) for part in parts]


def _part(part: bytes) -> tuple[str, bytes]:
    assert part.startswith(b"\r\n")
    assert part.endswith(b"\r\n")
    head, _, data = part[2:-2].partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    assert set(fields) == {"Content-Type", "Content-Range"}
    assert fields["Content-Type"] == "application/octet-stream"
    return fields["Content-Range"], data


numbers = st.integers(0, 10**19 - 1)


@pure
@given(
    numbers, numbers, st.sampled_from(["{}", "bytes {}/*", "bytes {}/9", "bytes={}"])
)
def test_content_range_is_parsed_with_inclusive_ends(
    first: int, last: int, form: str
) -> None:
    """Both positions are bytes of the chunk, and the first is not after the last."""
    header = form.format(f"{first}-{last}")
    if last < first:
        with pytest.raises(BlobUploadInvalid):
            parse_content_range(header)
    else:
        span = parse_content_range(header)
        assert span == Span(first, last + 1)
        assert span.length == last - first + 1


@pure
@given(st.text("0123456789-/* bytes=٣+_,\n", max_size=12))
@example("0-٣")
@example("+0-1")
@example("1_0-2_0")
@example("0-1-2")
@example("-1")
@example("0-")
@example("0-0\n1-1")
@example("9" * 40 + "-" + "9" * 41)
def test_malformed_content_range_is_refused(text: str) -> None:
    """Only decimal positions are a part of an upload."""
    try:
        span = parse_content_range(text)
    except BlobUploadInvalid:
        assert not _is_strict(text)
        return
    assert span is not None
    first, last = (int(n) for n in re.findall("[0-9]+", text)[:2])
    assert span == Span(first, last + 1)
    assert f"{first}-{last}" in re.sub("(?<![0-9])0+(?=[0-9])", "", text)


def _is_strict(text: str) -> bool:
    """Return True if the text matches ``^[0-9]+-[0-9]+$`` and is a possible chunk."""
    first, dash, last = text.partition("-")
    return (
        bool(dash)
        and all(n.isascii() and n.isdigit() and len(n) < 20 for n in (first, last))
        and int(first) <= int(last)
    )
