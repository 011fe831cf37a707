"""Connections that break, and rivals for one session, on real servers."""

from __future__ import annotations

import hashlib
import threading
import typing as t

import pytest

from flask_oci.testing.manifests import digest_of
from flask_oci.testing.requests import with_query
from tests.support.raw_http import Answer
from tests.support.raw_http import ask
from tests.support.raw_http import chunk
from tests.support.raw_http import Connection
from tests.support.raw_http import head
from tests.support.raw_http import LAST_CHUNK
from tests.support.raw_http import start_upload
from tests.support.raw_http import stored
from tests.support.raw_http import wait_until
from tests.support.served import Server
from tests.support.served import SERVERS
from tests.support.served import serving

CONTENT = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(100_000))
CHUNKED = "Transfer-Encoding: chunked"
WHOLE = f"Content-Length: {len(CONTENT)}"

#: Both ways to send a body, and a way to write one that goes on.
FRAMINGS: dict[str, tuple[str, t.Callable[[bytes], bytes]]] = {
    "length": (WHOLE, lambda data: data),
    "chunks": (
        CHUNKED,
        lambda data: b"".join(
            chunk(data[i : i + 32768]) for i in range(0, len(data), 32768)
        ),
    ),
    # Clients may well send more in one chunk than a server reads in one go.
    "one chunk": (CHUNKED, lambda data: b"%x\r\n%s" % (len(CONTENT), data)),
}


@pytest.fixture(name="server", scope="module", params=SERVERS)
def _server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[Server]:
    folder = tmp_path_factory.mktemp(request.param)
    with serving(request.param, folder) as server:
        yield server


@pytest.fixture(autouse=True)
def _nothing_stays_open(server: Server) -> t.Iterator[None]:
    """Fail a test after which the server still has a blob or an upload open."""
    yield
    wait_until(lambda: not server.open_blobs(), "a server with no blob open")


def _on_disk(server: Server, location: str) -> bytes:
    session = location.rpartition("/")[2]
    files = server.files().items()
    return b"".join(data for path, data in files if session in path)


def _released(server: Server) -> bool:
    return not server.open_blobs()


def _complete(server: Server, location: str) -> None:
    """Resume an upload from what its status says, in a chunk, and close it."""
    length = len(_on_disk(server, location))
    assert stored(server.port, location) == f"0-{max(length - 1, 0)}"
    if length < len(CONTENT):
        answer = ask(
            server.port,
            "PATCH",
            location,
            f"Content-Range: {length}-{len(CONTENT) - 1}",
            f"Content-Length: {len(CONTENT) - length}",
            body=CONTENT[length:],
        )
        assert answer.status == 202, answer
    put = with_query(location, digest=digest_of(CONTENT))
    answer = ask(server.port, "PUT", put, "Content-Length: 0")
    assert answer.status == 201, answer
    assert ask(server.port, "GET", answer.headers["location"]).body == CONTENT


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("size", [0, 1, 70_000, 2_500_000])
@pytest.mark.parametrize(("framing", "write"), FRAMINGS.values(), ids=FRAMINGS)
def test_a_patch_that_breaks_off_is_resumed(
    server: Server, framing: str, write: t.Callable[[bytes], bytes], size: int, how: str
) -> None:
    """After a lost connection the status is what is stored, a part of what was sent,
    and the upload goes on from there to the right blob."""
    location = start_upload(server.port)
    with Connection(server.port) as connection:
        connection.send(head("PATCH", location, framing), write(CONTENT[:size]))
        wait_until(lambda: bool(server.open_blobs()), "an upload that is written to")
        connection.reset() if how == "reset" else connection.close()
    wait_until(lambda: _released(server), "an upload that is let go")
    assert CONTENT[:size].startswith(_on_disk(server, location))
    _complete(server, location)


@pytest.mark.parametrize(("framing", "write"), FRAMINGS.values(), ids=FRAMINGS)
def test_a_put_that_breaks_off_leaves_the_session_as_it_was(
    server: Server, framing: str, write: t.Callable[[bytes], bytes]
) -> None:
    """A closing PUT that is lost takes back what it wrote, and can be sent again."""
    location = start_upload(server.port)
    first = CONTENT[:1000]
    ask(server.port, "PATCH", location, "Content-Length: 1000", body=first)
    put = with_query(location, digest=digest_of(CONTENT))
    with Connection(server.port) as connection:
        connection.send(head("PUT", put, framing), write(CONTENT[1000:2_500_000]))
        wait_until(lambda: bool(server.open_blobs()), "an upload that is written to")
        connection.reset()
    wait_until(lambda: _released(server), "an upload that is let go")
    assert _on_disk(server, location) == first
    _complete(server, location)


@pytest.mark.parametrize(("framing", "write"), FRAMINGS.values(), ids=FRAMINGS)
def test_a_post_that_breaks_off_leaves_nothing(
    server: Server, framing: str, write: t.Callable[[bytes], bytes]
) -> None:
    """A blob in one POST that is lost on its way leaves no file behind."""
    before = server.files()
    post = with_query("/v2/alice/app/blobs/uploads/", digest=digest_of(CONTENT))
    with Connection(server.port) as connection:
        connection.send(head("POST", post, framing), write(CONTENT[:2_500_000]))
        wait_until(lambda: bool(server.open_blobs()), "a blob that is written")
        connection.reset()
    wait_until(lambda: _released(server), "a blob that is let go")
    wait_until(lambda: server.files() == before, "a storage as it was")


@pytest.mark.parametrize("ranges", ["", "Range: bytes=5-", "Range: bytes=0-9,20-"])
def test_a_download_that_breaks_off_closes_the_blob(
    server: Server, ranges: str
) -> None:
    """A client that hangs up in the middle of a blob leaves no open file."""
    # More than the buffers of both ends take, so that the server has to wait.
    content = CONTENT * 8
    post = with_query("/v2/alice/app/blobs/uploads/", digest=digest_of(content))
    size = f"Content-Length: {len(content)}"
    answer = ask(server.port, "POST", post, size, body=content)
    lines = [ranges] if ranges else []
    for _ in range(5):
        with Connection(server.port) as connection:
            connection.send(head("GET", answer.headers["location"], *lines))
            assert len(connection.receive(10_000)) == 10_000
            assert server.open_blobs()
            connection.reset()
    wait_until(lambda: _released(server), "a blob that is closed")
    assert ask(server.port, "HEAD", answer.headers["location"]).status == 200


@pytest.mark.parametrize("method", ["PATCH", "PUT", "GET", "DELETE"])
def test_a_session_that_is_written_to_has_no_second_writer(
    server: Server, method: str
) -> None:
    """While one client writes, a rival is refused or heard, and mixes nothing in."""
    location = start_upload(server.port)
    with Connection(server.port) as first:
        first.send(head("PATCH", location, WHOLE), CONTENT[:2_000_000])
        # A request that has opened the file has not locked it yet.
        wait_until(lambda: bool(_on_disk(server, location)), "bytes of the first")
        rival = _rival(server, method, location)
        if method in ("PATCH", "PUT"):
            assert rival.refusal() == (416, "BLOB_UPLOAD_INVALID")
            assert rival.headers["location"] == location
        else:
            assert rival.status == 204
        first.send(CONTENT[2_000_000:])
        answer = first.answer()
    if method == "DELETE":
        assert answer.status in (202, 404)
        assert ask(server.port, "GET", location).refusal()[0] == 404
        assert _on_disk(server, location) == b""
    else:
        assert answer.status == 202
        assert _on_disk(server, location) == CONTENT
        _complete(server, location)


def _rival(server: Server, method: str, location: str) -> Answer:
    if method in ("GET", "DELETE"):
        return ask(server.port, method, location)
    location = with_query(location, digest=digest_of(b"rival"))
    return ask(server.port, method, location, "Content-Length: 5", body=b"rival")


def test_a_session_cancelled_under_a_put_ends_in_404(server: Server) -> None:
    """A PUT whose session is cancelled while its body arrives makes no blob."""
    location = start_upload(server.port)
    content = CONTENT[:-1]
    put = with_query(location, digest=digest_of(content))
    with Connection(server.port) as connection:
        size = f"Content-Length: {len(content)}"
        connection.send(head("PUT", put, size), content[:-10])
        wait_until(lambda: bool(server.open_blobs()), "an upload that is written to")
        assert ask(server.port, "DELETE", location).status == 204
        connection.send(content[-10:])
        assert connection.answer().refusal() == (404, "BLOB_UPLOAD_UNKNOWN")
    blob = f"/v2/alice/app/blobs/{digest_of(content)}"
    assert ask(server.port, "GET", blob).status == 404
    assert not any(digest_of(content)[7:] in path for path in server.files())


def test_many_writers_of_one_session_take_turns(server: Server) -> None:
    """Of rivals that send the same chunk at once, one wins and the others are told
    where the session is; nothing is stored twice."""
    location = start_upload(server.port)
    contenders = [bytes([65 + i]) * 300_000 for i in range(6)]
    answers: list[Answer] = []
    barrier = threading.Barrier(len(contenders), timeout=20)

    def send(body: bytes) -> None:
        lines = (f"Content-Range: 0-{len(body) - 1}", f"Content-Length: {len(body)}")
        barrier.wait()
        answers.append(ask(server.port, "PATCH", location, *lines, body=body))

    threads = [threading.Thread(target=send, args=(body,)) for body in contenders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answer.status for answer in answers) == [202, 416, 416, 416, 416, 416]
    for answer in answers:
        if answer.status == 416:
            assert answer.refusal() == (416, "BLOB_UPLOAD_INVALID")
    assert _on_disk(server, location) in contenders


def test_a_stream_ends_with_its_last_chunk(server: Server) -> None:
    """An upload in chunks of every size is stored as one."""
    location = start_upload(server.port)
    with Connection(server.port) as connection:
        connection.send(head("PATCH", location, CHUNKED))
        position = 0
        for size in (1, 10, 4096, 65_536, 1_048_577, len(CONTENT)):
            connection.send(chunk(CONTENT[position : position + size]))
            position += size
        connection.send(LAST_CHUNK)
        assert connection.answer().status == 202
    _complete(server, location)
