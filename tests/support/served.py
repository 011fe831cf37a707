"""The tests' application on real servers, for requests over bare sockets."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import typing as t
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from werkzeug.serving import make_server
from werkzeug.serving import WSGIRequestHandler

from tests.support.forge import end
from tests.support.forge import free_port
from tests.support.host import Administrator
from tests.support.host import create_app
from tests.support.paths import ROOT
from tests.support.raw_http import ask
from tests.support.raw_http import DEADLINE
from tests.support.raw_http import wait_until

#: The environment variable with the folder of the application, for granian.
FOLDER: t.Final = "SERVED_FOLDER"


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
        """Return the files of blobs and uploads that the process has open."""
        folders = tuple(f"{self.folder}/oci/{name}/" for name in ("blobs", "uploads"))
        paths = []
        for descriptor in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                paths.append(os.readlink(descriptor))
        return [path for path in paths if path.startswith(folders)]

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
    """Run a server of :data:`SERVERS` for the duration of the context."""
    with SERVERS[name](folder) as server:
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
            yield Server("gunicorn", port, _worker(process.pid), folder)
        finally:
            end(process, DEADLINE)


@contextlib.contextmanager
def _granian(folder: Path) -> t.Iterator[Server]:
    port = free_port()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "granian", "--interface", "wsgi"),
                *("--host", "127.0.0.1", "--port", str(port), "--http", "1"),
                *("--workers", "1", "--blocking-threads", "8"),
                *("--workers-kill-timeout", "2"),
                *("--factory", "tests.support.served:create_app_from_environment"),
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT), FOLDER: str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(lambda: _listens(port), "a server that listens")
            answer = ask(port, "GET", "/v2/")
            assert answer.status == 200, answer
            yield Server("granian", port, _worker(process.pid), folder)
        finally:
            end(process, DEADLINE)


def create_app_from_environment() -> Flask:
    """Create the application for granian, which calls it without arguments."""
    folder = Path(os.environ[FOLDER])
    return create_app(folder, **_settings(folder))


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), DEADLINE).close()
        return True
    return False


def _worker(pid: int) -> int:
    """Return the only worker among the children of a server."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    (worker,) = (
        int(child)
        for child in children
        # A process of Python's own may be beside it.
        if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()
    )
    return worker


#: The servers that :func:`serving` can run.
SERVERS: t.Final = {"werkzeug": _werkzeug, "gunicorn": _gunicorn, "granian": _granian}
