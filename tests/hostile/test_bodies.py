"""Bodies that lie about themselves, sent byte by byte to real servers."""

from __future__ import annotations

import contextlib
import hashlib
import typing as t

import pytest

from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.requests import with_query
from tests.support.raw_http import ALICE
from tests.support.raw_http import Answer
from tests.support.raw_http import ask
from tests.support.raw_http import chunk
from tests.support.raw_http import Connection
from tests.support.raw_http import head
from tests.support.raw_http import LAST_CHUNK
from tests.support.raw_http import start_upload
from tests.support.raw_http import stored
from tests.support.served import Server
from tests.support.served import serving

CHUNKED = "Transfer-Encoding: chunked"
UPLOADS = "/v2/alice/app/blobs/uploads/"


@pytest.fixture(name="server", scope="module", params=["werkzeug", "gunicorn"])
def _server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[Server]:
    folder = tmp_path_factory.mktemp(request.param)
    with serving(request.param, folder) as server:
        yield server


@pytest.fixture(autouse=True)
def _nothing_is_left(server: Server) -> t.Iterator[None]:
    """Fail a test that leaves half a blob, or a file where none belongs."""
    yield
    for path, content in server.files().items():
        parts = path.split("/")
        if parts[:2] == ["oci", "blobs"]:
            assert hashlib.new(parts[2], content).hexdigest() == parts[-1]
        else:
            assert parts[:2] == ["oci", "uploads"]


def _resumes(server: Server, location: str, sent: bytes) -> None:
    """Check that a session is a prefix of what was sent, and can be finished."""
    length = _length(server, location)
    content = sent[:length] + b" and the rest"
    put = with_query(location, digest=digest_of(content))
    size = f"Content-Length: {len(content) - length}"
    answer = ask(server.port, "PUT", put, size, body=content[length:])
    assert answer.status == 201, answer
    assert ask(server.port, "GET", answer.headers["location"]).body == content


def _length(server: Server, location: str) -> int:
    # One byte and none look the same in a status, but not on the disk.
    session = location.rpartition("/")[2]
    (content,) = (data for path, data in server.files().items() if session in path)
    assert stored(server.port, location) == f"0-{max(len(content) - 1, 0)}"
    return len(content)


MALFORMED = {
    "a size that is no number": (b"zz\r\nabc\r\n" + LAST_CHUNK, b""),
    "a negative size": (b"-3\r\nabc\r\n" + LAST_CHUNK, b""),
    "no size": (b"\r\nabc\r\n" + LAST_CHUNK, b""),
    "a size without an end": (b"f" * 20 + b"\r\nabc", b"abc"),
    "a line without an end": (b"f" * 9000, b""),
    "a chunk longer than its size": (b"3\r\nabcdef\r\n" + LAST_CHUNK, b"abc"),
    "no last chunk": (chunk(b"abc"), b"abc"),
    "nothing": (b"", b""),
    "a chunk that breaks off": (b"9\r\nabc", b"abc"),
    "a long chunk that breaks off": (
        b"200000\r\n" + b"x" * 1_500_000,
        b"x" * 1_500_000,
    ),
    "a second chunk that breaks off": (chunk(b"abc") + b"9\r\nd", b"abcd"),
}


@pytest.mark.parametrize(("body", "sent"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_stream_leaves_a_prefix_of_what_was_sent(
    server: Server, body: bytes, sent: bytes
) -> None:
    """A chunked body that makes no sense is a 400, and the session can go on."""
    location = start_upload(server.port)
    answer = ask(server.port, "PATCH", location, CHUNKED, body=body, end=True)
    assert answer.status == 400
    answer.assert_refused()
    _resumes(server, location, sent)


@pytest.mark.parametrize(("body", "sent"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_stream_closes_no_session(
    server: Server, body: bytes, sent: bytes
) -> None:
    """A PUT whose body makes no sense changes nothing, whatever its digest."""
    location = start_upload(server.port)
    put = with_query(location, digest=digest_of(sent))
    answer = ask(server.port, "PUT", put, CHUNKED, body=body, end=True)
    assert answer.status == 400
    answer.assert_refused()
    assert _length(server, location) == 0
    assert _gets(server, digest_of(sent)) == 404


@pytest.mark.parametrize(("body", "sent"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_stream_makes_no_blob(
    server: Server, body: bytes, sent: bytes
) -> None:
    """A POST of a whole blob whose body makes no sense leaves no trace."""
    before = server.files()
    post = with_query(UPLOADS, digest=digest_of(sent))
    answer = ask(server.port, "POST", post, CHUNKED, body=body, end=True)
    assert answer.status == 400
    answer.assert_refused()
    assert server.files() == before


def test_a_malformed_stream_makes_no_manifest(server: Server) -> None:
    """A manifest that is whole and then breaks off is a 400, and is not kept."""
    config = b"{}"
    post = with_query(UPLOADS, digest=digest_of(config))
    size = f"Content-Length: {len(config)}"
    assert ask(server.port, "POST", post, size, body=config).status == 201
    content = image(config=config)
    target = f"/v2/alice/app/manifests/{digest_of(content)}"
    for framing, body in (
        (CHUNKED, b"%x\r\n%s" % (len(content) + 1, content)),
        (CHUNKED, chunk(content) + b"zz\r\n"),
        (f"Content-Length: {len(content) + 1}", content),
    ):
        lines = (framing, f"Content-Type: {OCI_MANIFEST}")
        answer = ask(server.port, "PUT", target, *lines, body=body, end=True)
        assert answer.status == 400
        answer.assert_refused()
        assert ask(server.port, "GET", target).status == 404


def test_a_body_shorter_than_announced_leaves_what_arrived(server: Server) -> None:
    """A PATCH that ends early is a 400, and the session has what came of it."""
    location = start_upload(server.port)
    sent = b"x" * 1_500_000
    answer = ask(
        server.port, "PATCH", location, "Content-Length: 2000000", body=sent, end=True
    )
    assert answer.refusal() == (400, "SIZE_INVALID")
    assert _length(server, location) > 0
    _resumes(server, location, sent)


def test_body_longer_than_announced_is_cut(server: Server) -> None:
    """Bytes after the announced length are not part of the upload."""
    location = start_upload(server.port)
    answer = ask(
        server.port, "PATCH", location, "Content-Length: 3", body=b"abcdef", end=True
    )
    assert answer.status == 202
    assert _length(server, location) == 3
    _resumes(server, location, b"abc")


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: -3"],
        ["Content-Length: +3"],
        ["Content-Length: 3.0"],
        ["Content-Length: 0x3"],
        ["Content-Length: 3_0"],
        ["Content-Length: three"],
        ["Content-Length: \xb2"],
        ["Content-Length: 3, 4"],
        ["Content-Length: 3", "Content-Length: 4"],
        ["Content-Length: 4", "Content-Length: 3", "Content-Length: 5"],
        ["Content-Length: 99999999999999999999999999"],
        ["Content-Length: 9223372036854775807"],
        ["Content-Range: 0-8", "Content-Length: 3"],
        ["Content-Range: 5-7", "Content-Length: 3"],
        ["Content-Range: 2-0", "Content-Length: 3"],
        ["Content-Range: 0-2\xb2", "Content-Length: 3"],
        ["Content-Range: 0-99999999999999999999", "Content-Length: 3"],
    ],
    ids="|".join,
)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_content_length_malformed_is_refused(
    server: Server, method: str, lines: list[str]
) -> None:
    """A length that is none, or that contradicts another, is a clean 4xx."""
    location = start_upload(server.port)
    target = with_query(location, digest=digest_of(b"abc"))
    answer = ask(server.port, method, target, *lines, body=b"abc", end=True)
    answer.assert_refused()
    _resumes(server, location, b"abc")


@pytest.mark.parametrize("framing", [CHUNKED, "Content-Length: 8000000"])
@pytest.mark.parametrize(
    ("target", "credentials", "status"),
    [
        (UPLOADS, "", 401),
        (UPLOADS, "Authorization: Bearer x\r\n", 401),
        ("/v2/bob/app/blobs/uploads/", ALICE, 403),
        ("/v2/alice/app/unknown", ALICE, 404),
    ],
)
def test_refusal_is_sent_before_the_body_arrives(
    server: Server, framing: str, target: str, credentials: str, status: int
) -> None:
    """A client that sends its body slowly, or not at all, gets a complete refusal."""
    with Connection(server.port) as connection:
        connection.send(head("POST", target, framing, credentials=credentials))
        answer = connection.answer()
    assert answer.status == status
    answer.assert_refused()


@pytest.mark.parametrize(
    ("credentials", "size"), [("", 60_000), (ALICE, 4_000_000)], ids=["", "alice"]
)
def test_refused_body_is_read_after_the_refusal(
    server: Server, credentials: str, size: int
) -> None:
    """A client that reads no answer before it has sent its body gets the refusal."""
    with Connection(server.port) as connection:
        target = "/v2/bob/app/manifests/latest"
        length = f"Content-Length: {size}"
        connection.send(head("PUT", target, length, credentials=credentials))
        connection.send(b"x" * size)
        answer = connection.answer()
    assert answer.status in (401, 403)
    answer.assert_refused()


@pytest.mark.parametrize("framing", [CHUNKED, "Content-Length: 3"])
def test_expect_continue_is_answered(server: Server, framing: str) -> None:
    """``Expect: 100-continue`` is answered, and the body that follows is taken."""
    location = start_upload(server.port)
    body = chunk(b"abc") + LAST_CHUNK if framing == CHUNKED else b"abc"
    with Connection(server.port) as connection:
        connection.send(head("PATCH", location, framing, "Expect: 100-continue"))
        assert connection.answer().status == 100
        connection.send(body)
        # Werkzeug's server says it twice, which it may.
        while (answer := connection.answer()).status == 100:
            pass
    assert answer.status == 202
    _resumes(server, location, b"abc")


@pytest.mark.parametrize("framing", [CHUNKED, "Content-Length: 3"])
@pytest.mark.parametrize(
    "target",
    ["/v2/", "/v2/_catalog", "/v2/alice/app/tags/list", UPLOADS + "unknown", "/v2/x"],
)
def test_a_body_on_a_get_is_refused(server: Server, target: str, framing: str) -> None:
    """No GET has a body here, and one that comes all the same is a 400."""
    body = chunk(b"abc") + LAST_CHUNK if framing == CHUNKED else b"abc"
    answer = ask(server.port, "GET", target, framing, body=body)
    assert answer.refusal() == (400, "UNSUPPORTED")


@pytest.mark.parametrize(
    "line",
    [
        "GET /v2/ HTTP/1.1 extra",
        "GET  /v2/ HTTP/1.1",
        "GET /v2/\x00 HTTP/1.1",
        "GET /v2/ HTTP/9.9",
        "G\x00T /v2/ HTTP/1.1",
        "GET /v2/alice/" + "a" * 100_000 + "/tags/list HTTP/1.1",
        "GET http://evil.example:x/v2/ HTTP/1.1",
        "GET /v2/\xff\xfe/tags/list HTTP/1.1",
        "BREW /v2/ HTTP/1.1",
        "CONNECT /v2/alice/app/manifests/x HTTP/1.1",
        "* * *",
    ],
)
def test_request_line_malformed_is_refused(server: Server, line: str) -> None:
    """A request line out of shape is refused by the server or by the registry."""
    answer = _first_answer(server, f"{line}\r\nHost: registry.test\r\n\r\n")
    if answer is None:
        # The server has closed the connection, or answered in HTTP/0.9; it must still
        # run.
        assert ask(server.port, "GET", "/v2/").status == 200
        return
    assert answer.status < 500 or (answer.status, answer.is_from_registry) == (
        505,
        False,
    )
    if answer.is_from_registry and answer.status >= 400:
        answer.refusal()


def _first_answer(server: Server, request: str) -> Answer | None:
    with Connection(server.port) as connection, contextlib.suppress(OSError):
        connection.send(request)
        connection.end()
        return connection.answer()
    return None


def _gets(server: Server, digest: str) -> int:
    return ask(server.port, "GET", f"/v2/alice/app/blobs/{digest}").status
