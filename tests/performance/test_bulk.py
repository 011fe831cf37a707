from __future__ import annotations

import base64
import hashlib
import http.client
import random
import sys
import time
import typing as t

import pytest

from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import SERVERS
from tests.support.forge import unavailable
from tests.support.forge import USERNAME

pytestmark = pytest.mark.real

MIB = 1 << 20
SIZE = 1 << 30
#: The memory limit of each process of a server, for every size of a blob.
LIMIT = 150 * MIB
TIMEOUT = 300
UPLOADS = f"/v2/{USERNAME}/bulk/blobs/uploads/"
# The bytes are random, so that no layer can compress them. The same MiB is repeated.
PIECE = random.Random(0).randbytes(MIB)


@pytest.mark.parametrize("server", SERVERS)
def test_blob_of_one_gibibyte_is_pushed_and_pulled_in_bounded_memory(
    server: str,
) -> None:
    """A blob of 1 GiB is sent in one stream, and memory stays within the limit."""
    if not sys.platform.startswith("linux"):
        unavailable("peak memory is read from Linux's /proc")
    digest = _digest_of(_pieces())
    with Forge(server) as forge:
        started = time.monotonic()
        _push(forge, digest)
        pushed = time.monotonic()
        pulled = _pull(forge, digest)
        finished = time.monotonic()
        peak = forge.peak_memory()
    print(
        f"{server}: pushed in {pushed - started:.1f} s,"
        f" pulled in {finished - pushed:.1f} s, peak {peak / MIB:.0f} MiB"
    )
    assert pulled == digest
    # waitress reads a whole body into a file before the application runs. The registry
    # cannot limit its memory.
    if server != "waitress":
        assert peak < LIMIT


def _push(forge: Forge, digest: str) -> None:
    location = _send(forge, "POST", UPLOADS, 202)
    # docker sends a chunked body without a length.
    location = _send(forge, "PATCH", location, 202, _pieces())
    join = "&" if "?" in location else "?"
    _send(forge, "PUT", f"{location}{join}digest={digest}", 201)


def _send(
    forge: Forge,
    method: str,
    path: str,
    expected: int,
    body: t.Iterator[bytes] | None = None,
) -> str:
    connection = _connect(forge)
    try:
        length = {"Transfer-Encoding": "chunked"} if body else {"Content-Length": "0"}
        headers = _credentials() | length
        connection.request(method, path, body, headers, encode_chunked=body is not None)
        response = connection.getresponse()
        said = response.read()
        assert response.status == expected, (method, response.status, said)
        return response.headers["Location"]
    finally:
        connection.close()


def _pull(forge: Forge, digest: str) -> str:
    connection = _connect(forge)
    try:
        path = f"/v2/{USERNAME}/bulk/blobs/{digest}"
        connection.request("GET", path, headers=_credentials())
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["Content-Length"] == str(SIZE)
        return _digest_of(iter(lambda: response.read(MIB), b""))
    finally:
        connection.close()


def _connect(forge: Forge) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", forge.port, timeout=TIMEOUT)


def _credentials() -> dict[str, str]:
    secret = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    return {"Authorization": f"Basic {secret}"}


def _pieces() -> t.Iterator[bytes]:
    for _ in range(SIZE // MIB):
        yield PIECE


def _digest_of(pieces: t.Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return f"sha256:{found.hexdigest()}"
