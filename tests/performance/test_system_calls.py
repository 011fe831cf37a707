"""The number of system calls of a small request."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from flask_oci.testing.manifests import digest_of
from tests.support.forge import tool
from tests.support.raw_http import ask
from tests.support.raw_http import wait_until
from tests.support.served import serving

pytestmark = pytest.mark.real

BLOB = b"x" * 4096
REQUESTS = 20

#: For one request on a new connection with a password, on gunicorn and SQLite. SQLite
#: makes half of the calls: for each statement it locks the file and checks it for
#: changes.
BUDGET = 75


def test_get_of_small_blob_stays_within_system_call_budget(tmp_path: Path) -> None:
    """The request is a GET of a small blob."""
    strace = tool("strace", "Debian")
    trace = tmp_path / "trace"
    target = f"/v2/alice/app/blobs/{digest_of(BLOB)}"
    with serving("gunicorn", tmp_path) as server:
        _push(server.port)
        assert ask(server.port, "GET", target).body == BLOB
        tracer = subprocess.Popen(
            [strace, "-f", "-o", str(trace), "-p", str(server.pid)],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert tracer.stderr is not None
            attached = tracer.stderr.readline()
            assert "attached" in attached, attached
            wait_until(lambda: _is_traced(server.pid), "the worker is traced")
            for _ in range(REQUESTS):
                assert ask(server.port, "GET", target).body == BLOB
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate(timeout=60)
    calls = [line for line in trace.read_text().splitlines() if _is_of_a_request(line)]
    assert 0 < len(calls) <= REQUESTS * BUDGET, len(calls) / REQUESTS


def _push(port: int) -> None:
    target = f"/v2/alice/app/blobs/uploads/?digest={digest_of(BLOB)}"
    length = f"Content-Length: {len(BLOB)}"
    assert ask(port, "POST", target, length, body=BLOB).status == 201


def _is_traced(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    return "TracerPid:\t0\n" not in status


def _is_of_a_request(line: str) -> bool:
    # Threads that wait for each other or for requests repeat their calls. Their number
    # depends on the machine.
    waits = ("futex", "epoll_wait", "poll", "resumed>", "---", "+++")
    return not any(word in line for word in waits)
