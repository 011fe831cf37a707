"""Many small requests at once, from programs that are faster than Python."""

from __future__ import annotations

import re
import subprocess
import typing as t

from .pushing import MANIFEST_TYPE

#: The number of simultaneous connections.
CONNECTIONS: t.Final = 8


class Load(t.NamedTuple):
    """The result of a load test."""

    rate: float
    """Answered requests per second."""

    requests: int
    """The number of requests."""


def get(port: int, target: str, authorization: str | None, seconds: int) -> Load:
    """Send the same GET repeatedly, with wrk.

    :raises RuntimeError: if an answer was an error.
    """
    output = _run(
        *("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"),
        *_headers(authorization),
        f"http://127.0.0.1:{port}{target}",
    )
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(output)
    return Load(
        _number(r"Requests/sec:\s+([\d.]+)", output),
        int(_number(r"(\d+) requests in", output)),
    )


def head(port: int, target: str, authorization: str | None, seconds: int) -> Load:
    """Send the same HEAD repeatedly, with ab, because wrk waits for a body.

    :raises RuntimeError: if an answer was an error.
    """
    output = _run(
        *("ab", "-q", "-i", "-k", "-c", str(CONNECTIONS)),
        *("-t", str(seconds), "-n", "100000000"),
        *_headers(authorization),
        f"http://127.0.0.1:{port}{target}",
    )
    if "Non-2xx" in output or not re.search(r"Failed requests:\s+0\n", output):
        raise RuntimeError(output)
    return Load(
        _number(r"Requests per second:\s+([\d.]+)", output),
        int(_number(r"Complete requests:\s+(\d+)", output)),
    )


def _headers(authorization: str | None) -> list[str]:
    # Distribution serves OCI manifests only to clients that accept their type.
    headers = ["-H", f"Accept: {MANIFEST_TYPE}"]
    return (
        [*headers, "-H", f"Authorization: {authorization}"]
        if authorization
        else headers
    )


def _run(*command: str) -> str:
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=300
    ).stdout


def _number(pattern: str, output: str) -> float:
    found = re.search(pattern, output)
    if found is None:
        raise RuntimeError(output)
    return float(found[1])
