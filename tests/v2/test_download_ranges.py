"""Parts of blobs, and downloads that another server carries out."""

from __future__ import annotations

import email
import email.policy
import typing as t
from pathlib import Path

import pytest
from werkzeug.wsgi import FileWrapper

from flask_oci.testing.answers import errors
from flask_oci.testing.manifests import digest_of
from tests.support.registry_client import RegistryClient

CONTENT = bytes(i * 7 % 251 for i in range(1000))
PATH = f"/v2/alice/app/blobs/{digest_of(CONTENT)}"

pytestmark = [pytest.mark.sqlite_only, pytest.mark.usefixtures("_pushed")]


@pytest.fixture(name="_pushed")
def _push(alice: RegistryClient) -> None:
    alice.push_blob("alice/app", CONTENT)


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-99", 0, 99),
        ("bytes=0-0", 0, 0),
        ("bytes=999-999", 999, 999),
        ("bytes=990-", 990, 999),
        ("bytes=-10", 990, 999),
        ("bytes=-5000", 0, 999),
        ("bytes=900-5000", 900, 999),
        ("Bytes=10-19", 10, 19),
        ("bytes= 10-19 ", 10, 19),
        ("bytes=10-19,5000-6000", 10, 19),
    ],
)
def test_range_single_returns_exact_bytes(
    alice: RegistryClient, header: str, first: int, last: int
) -> None:
    """One range is answered with exactly those bytes."""
    response = alice.get(PATH, headers={"Range": header})

    assert response.status_code == 206
    assert response.data == CONTENT[first : last + 1]
    assert response.headers["Content-Range"] == f"bytes {first}-{last}/1000"
    assert response.headers["Content-Length"] == str(last + 1 - first)
    assert response.headers["Docker-Content-Digest"] == digest_of(CONTENT)


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        ("bytes=0-9,20-29", [(0, 9), (20, 29)]),
        ("bytes=20-29, 0-9", [(20, 29), (0, 9)]),
        ("bytes=0-0,500-,-0", [(0, 0), (500, 999)]),
        ("bytes=0-0,10-10,-5", [(0, 0), (10, 10), (995, 999)]),
        ("bytes=0-9,10-19", [(0, 9), (10, 19)]),
    ],
)
def test_range_several_returns_parts_in_order(
    alice: RegistryClient, header: str, spans: list[tuple[int, int]]
) -> None:
    """Several ranges are answered as parts, each with its place, in the order
    asked for."""
    response = alice.get(PATH, headers={"Range": header})

    assert response.status_code == 206
    assert response.headers["Content-Length"] == str(len(response.data))
    parts = _parts(response.headers["Content-Type"], response.data)
    assert parts == [
        (f"bytes {first}-{last}/1000", CONTENT[first : last + 1])
        for first, last in spans
    ]


@pytest.mark.parametrize(
    "header",
    [
        "items=0-1",
        "bytes",
        "bytes 0-9",
        "bytes=0-10,5-20",
        "bytes=0-,0-",
        "bytes=" + ",".join(["0-0"] * 1000),
        "bytes=" + ",".join(f"{i}-{i}" for i in range(0, 10_000, 4)),
    ],
    ids=lambda header: header[:20],
)
def test_range_unsupported_returns_whole_blob(
    alice: RegistryClient, header: str
) -> None:
    """Other units, overlapping ranges and swarms of them get the whole blob."""
    response = alice.get(PATH, headers={"Range": header})

    assert response.status_code == 200
    assert response.data == CONTENT
    assert "Content-Range" not in response.headers


@pytest.mark.parametrize(
    "header",
    [
        "bytes=1000-",
        "bytes=5000-10000",
        "bytes=500-0",
        "bytes=-0",
        "bytes=-",
        "bytes=",
        "bytes=a-b",
        "bytes=0-9,x",
        "bytes=0x0-0x9",
        "bytes=+0-9",
        "bytes=0--9",
        "bytes=99999999999999999999999-",
    ],
)
def test_range_unsatisfiable_returns_416_with_length(
    alice: RegistryClient, header: str
) -> None:
    """Ranges that are malformed or past the end are told how long the blob is."""
    response = alice.get(PATH, headers={"Range": header})

    assert response.status_code == 416
    assert response.headers["Content-Range"] == "bytes */1000"
    assert response.headers["Content-Length"] == str(len(response.data))
    errors(response)


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (f'"{digest_of(CONTENT)}"', 206),
        (f'W/"{digest_of(CONTENT)}"', 200),
        ('"something else"', 200),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 200),
    ],
)
def test_if_range_other_version_returns_whole_blob(
    alice: RegistryClient, condition: str, status: int
) -> None:
    """A range that depends on another version gets the whole of this one."""
    headers = {"Range": "bytes=0-9", "If-Range": condition}

    response = alice.get(PATH, headers=headers)

    assert response.status_code == status
    assert response.data == (CONTENT[:10] if status == 206 else CONTENT)


def test_head_ignores_range(alice: RegistryClient) -> None:
    """Ranges mean something for GET only."""
    response = alice.head(PATH, headers={"Range": "bytes=0-9"})

    assert response.status_code == 200
    assert response.headers["Content-Length"] == "1000"


def test_condition_takes_precedence_over_range(alice: RegistryClient) -> None:
    """A client that has the blob is not sent a part of it."""
    etag = f'"{digest_of(CONTENT)}"'

    response = alice.get(PATH, headers={"Range": "bytes=0-9", "If-None-Match": etag})

    assert response.status_code == 304


def test_manifest_ignores_range(alice: RegistryClient) -> None:
    """A manifest is always sent whole."""
    manifest = alice.push_image("alice/app", "latest")

    response = alice.get(
        "/v2/alice/app/manifests/latest", headers={"Range": "bytes=0-9"}
    )

    assert response.status_code == 200
    assert response.data == manifest


def test_file_wrapper_gets_the_open_file(alice: RegistryClient) -> None:
    """A server that can send files itself is given the open file, at the first
    byte of the range."""
    wrapped = []

    def file_wrapper(file: t.IO[bytes], size: int) -> FileWrapper:
        wrapped.append(file.tell())
        return FileWrapper(file, size)

    response = alice.get(
        PATH,
        headers={"Range": "bytes=990-"},
        environ={"wsgi.file_wrapper": file_wrapper},
    )

    assert wrapped == [990]
    assert response.data == CONTENT[990:]


@pytest.mark.options(oci_accel_redirect="/_blobs/")
def test_x_accel_redirect(alice: RegistryClient, tmp_path: Path) -> None:
    """nginx is told where the blob is, and does the rest, ranges included."""
    response = alice.get(PATH, headers={"Range": "bytes=0-9"})

    assert response.status_code == 200
    assert response.data == b""
    assert response.headers["Docker-Content-Digest"] == digest_of(CONTENT)
    assert response.headers["Content-Type"] == "application/octet-stream"
    location = response.headers["X-Accel-Redirect"]
    assert location.startswith("/_blobs/")
    assert (tmp_path / "oci" / location[len("/_blobs/") :]).read_bytes() == CONTENT


@pytest.mark.options(oci_accel_redirect="/_blobs", use_x_sendfile=True)
def test_range_of_empty_blob_is_not_left_to_the_server(alice: RegistryClient) -> None:
    """Servers in front would answer 416 to every range of an empty file."""
    digest = alice.push_blob("alice/app", b"")
    response = alice.get(f"/v2/alice/app/blobs/{digest}", headers={"Range": "bytes=0-"})
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Content-Length"] == "0"
    assert not {"X-Accel-Redirect", "X-Sendfile"} & set(response.headers.keys())


@pytest.mark.options(use_x_sendfile=True)
def test_x_sendfile(alice: RegistryClient) -> None:
    """A server that understands X-Sendfile is told where the blob is."""
    response = alice.get(PATH)

    assert response.status_code == 200
    assert response.data == b""
    assert Path(response.headers["X-Sendfile"]).read_bytes() == CONTENT


@pytest.mark.options(oci_accel_redirect="/_blobs", use_x_sendfile=True)
def test_head_is_answered_without_accel_redirect(alice: RegistryClient) -> None:
    """HEAD is answered here, with the length of the blob."""
    response = alice.head(PATH)

    assert response.headers["Content-Length"] == "1000"
    assert "X-Accel-Redirect" not in response.headers
    assert "X-Sendfile" not in response.headers


@pytest.mark.options(oci_accel_redirect="/_blobs")
def test_accel_redirect_without_permission_is_not_sent(
    bob: RegistryClient, anonymous: RegistryClient
) -> None:
    """The path of a blob is sent only to clients that may pull it."""
    for client, status in ((bob, 404), (anonymous, 401)):
        response = client.get(PATH)
        assert response.status_code == status
        assert "X-Accel-Redirect" not in response.headers


def _parts(content_type: str, body: bytes) -> list[tuple[str, bytes]]:
    """Read a multipart answer as a mail program would."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    assert message.get_content_type() == "multipart/byteranges"
    parts = []
    for part in message.iter_parts():
        assert part.get_content_type() == "application/octet-stream"
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        parts.append((str(part["Content-Range"]), content))
    return parts


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-5", "bytes=-1"])
def test_range_of_empty_blob_returns_whole_blob(
    alice: RegistryClient, header: str
) -> None:
    """A client that resumes a download asks for the rest of an empty blob as well."""
    digest = alice.push_blob("alice/app", b"")
    response = alice.get(f"/v2/alice/app/blobs/{digest}", headers={"Range": header})
    assert (response.status_code, response.data) == (200, b"")
