"""HTTP written by hand, for requests that no proper client sends, and the servers
that receive them."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from werkzeug.serving import make_server
from werkzeug.serving import WSGIRequestHandler

from flask_oci.testing.answers import ERROR_CODES
from flask_oci.testing.requests import basic
from tests.support.forge import end
from tests.support.host import Administrator
from tests.support.host import create_app
from tests.support.host import PASSWORDS
from tests.support.paths import ROOT

#: The time limit of each wait, in seconds. A correct server never needs it.
DEADLINE = 60.0

ALICE = f"Authorization: {basic('alice', PASSWORDS['alice'])}\r\n"


@dataclass(frozen=True)
class Answer:
    """A server's answer."""

    status: int
    headers: dict[str, str]
    """The headers by lower-case name; a repeated header is an error."""

    body: bytes

    @property
    def is_from_registry(self) -> bool:
        """Whether the registry wrote the answer, and not the server itself."""
        return "docker-distribution-api-version" in self.headers

    def refusal(self) -> tuple[int, str]:
        """Return the status and the code of an error in the registry's JSON."""
        assert self.headers["content-type"] == "application/json", self
        (entry,) = json.loads(self.body)["errors"]
        assert set(entry) <= {"code", "message", "detail"}
        assert all(isinstance(value, str) for value in entry.values())
        assert entry["code"] in ERROR_CODES
        return self.status, entry["code"]

    def assert_refused(self) -> None:
        """Check that it is a 4xx of the registry or of the server."""
        assert 400 <= self.status < 500, self
        if self.is_from_registry:
            self.refusal()


class Connection:
    """A connection to a server on this machine.

    :param port: where the server listens.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self._received = self._socket.makefile("rb")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def send(self, *parts: str | bytes) -> None:
        """Send bytes, or text in Latin-1."""
        for part in parts:
            data = part.encode("latin-1") if isinstance(part, str) else part
            self._socket.sendall(data)

    def end(self) -> None:
        """Close the sending direction, and keep receiving."""
        self._socket.shutdown(socket.SHUT_WR)

    def receive(self, size: int) -> bytes:
        """Return this many bytes of an answer, or fewer at its end."""
        return self._received.read(size)

    def answer(self, *, has_body: bool = True) -> Answer:
        """Return the next answer.

        :raises ConnectionError: if the server closes the connection without one.
        """
        line = self._received.readline()
        if not line.startswith(b"HTTP/"):
            raise ConnectionResetError(f"this is no answer: {line[:99]!r}")
        version, status, _ = line.decode("latin-1").split(" ", 2)
        assert version in ("HTTP/1.0", "HTTP/1.1")
        headers: dict[str, str] = {}
        while (line := self._received.readline()) != b"\r\n":
            name, colon, value = line.decode("latin-1").partition(":")
            assert colon, line
            assert name.lower() not in headers, line
            headers[name.lower()] = value.strip()
        if int(status) < 200:
            return Answer(int(status), headers, b"")
        has_body = has_body and status not in ("204", "304")
        size = int(headers.get("content-length", -1))
        body = self._received.read(size) if has_body else b""
        assert size < 0 or not has_body or len(body) == size
        return Answer(int(status), headers, body)

    def close(self) -> None:
        """Close the connection properly."""
        self._received.close()
        self._socket.close()

    def reset(self) -> None:
        """Reset the connection, as a crashed machine does."""
        linger = struct.pack("ii", 1, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close()


def head(method: str, target: str, *lines: str, credentials: str = ALICE) -> str:
    """Return the head of a request; the connection closes after its answer."""
    fields = "".join(f"{line}\r\n" for line in (*lines, "Connection: close"))
    if not any(line.lower().startswith("host:") for line in lines):
        fields = f"Host: registry.test\r\n{fields}"
    return f"{method} {target} HTTP/1.1\r\n{fields}{credentials}\r\n"


def chunk(data: bytes) -> bytes:
    """Return a chunk of a body without a length."""
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def ask(
    port: int,
    method: str,
    target: str,
    *lines: str,
    body: bytes = b"",
    end: bool = False,
    credentials: str = ALICE,
) -> Answer:
    """Send one request on a new connection, and return its answer.

    :param end: whether the client closes its sending direction.
    """
    with Connection(port) as connection:
        # A server may close the connection before it has read a refused body.
        with contextlib.suppress(ConnectionError):
            connection.send(head(method, target, *lines, credentials=credentials), body)
            if end:
                connection.end()
        return connection.answer(has_body=method != "HEAD")


def start_upload(port: int, name: str = "alice/app") -> str:
    """Start an upload session, and return its location."""
    path = f"/v2/{name}/blobs/uploads/"
    answer = ask(port, "POST", path, "Content-Length: 0")
    assert answer.status == 202, answer
    return answer.headers["location"]


def stored(port: int, location: str) -> str:
    """Return the stored range of an upload session, as its status reports it."""
    answer = ask(port, "GET", location)
    assert answer.status == 204, answer
    return answer.headers["range"]


def wait_until(ready: t.Callable[[], bool], what: str) -> None:
    """Return as soon as `ready` is true, and fail if it stays false."""
    deadline = time.monotonic() + DEADLINE
    while not ready():
        assert time.monotonic() < deadline, f"in {DEADLINE:.0f} s: not {what}"
        time.sleep(0.01)


@dataclass(frozen=True)
class Server:
    """A server that runs the tests' application as a host does."""

    name: str
    port: int
    pid: int
    """The process that answers."""

    folder: Path
    """The folder of the application's database and blobs."""

    def open_blobs(self) -> list[str]:
        """Return the blob files that the process has open."""
        paths = []
        for descriptor in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                paths.append(os.readlink(descriptor))
        return [path for path in paths if path.startswith(f"{self.folder}/oci/")]

    def files(self) -> dict[str, bytes]:
        """Return the files in the folder, except the database, the log, locks and
        notes."""
        contents = {}
        for path in self.folder.rglob("*"):
            passing = path.name.startswith(("forge.sqlite", "server.log"))
            if (
                passing
                or {"locks", "notes", "identity"} & {*path.parts}
                or not path.is_file()
            ):
                continue
            # The server may delete the file at this moment.
            with contextlib.suppress(FileNotFoundError):
                contents[str(path.relative_to(self.folder))] = path.read_bytes()
        return contents


@contextlib.contextmanager
def serving(name: str, folder: Path) -> t.Iterator[Server]:
    """Run a server, ``werkzeug`` or ``gunicorn``, for the duration of the context."""
    with _werkzeug(folder) if name == "werkzeug" else _gunicorn(folder) as server:
        yield server


def _settings(folder: Path) -> dict[str, t.Any]:
    # Other tests may empty a shared database at any time. As in production, errors are
    # answered and not raised.
    return {
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/forge.sqlite",
        "TESTING": False,
    }


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: t.Any) -> None:
        pass


@contextlib.contextmanager
def _werkzeug(folder: Path) -> t.Iterator[Server]:
    app = create_app(folder, **_settings(folder))
    server = make_server(
        "127.0.0.1", 0, app, threaded=True, request_handler=_QuietHandler
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Server("werkzeug", server.server_port, os.getpid(), folder)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        Administrator(app).close(delete_rows=False)


@contextlib.contextmanager
def _gunicorn(folder: Path) -> t.Iterator[Server]:
    settings = "".join(f", {k}={v!r}" for k, v in _settings(folder).items())
    with socket.socket() as listener, (folder / "server.log").open("wb") as log:
        # The socket listens before the server starts, so no client has to wait.
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "--no-control-socket"),
                *("--bind", f"fd://{listener.fileno()}", "--worker-class", "gthread"),
                *("--threads", "8", "--workers", "1", "--graceful-timeout", "2"),
                f"tests.support.host:create_app({str(folder)!r}{settings})",
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            port: int = listener.getsockname()[1]
            answer = ask(port, "GET", "/v2/")
            assert answer.status == 200, answer
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            (worker,) = map(int, children.read_text().split())
            yield Server("gunicorn", port, worker, folder)
        finally:
            end(process, DEADLINE)
