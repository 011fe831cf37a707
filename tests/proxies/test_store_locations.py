"""The documented locations of nginx for object stores, with real stores."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import typing as t

import pytest

from flask_oci.testing.requests import basic
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import USERNAME
from tests.support.forge import wait_until
from tests.support.loopback_server import LoopbackServer
from tests.support.loopback_server import QuietHandler
from tests.support.name_server import NameServer
from tests.support.object_stores import STORES
from tests.support.store_behind_nginx import NamedStoreBehindNginx
from tests.support.store_behind_nginx import StoreBehindNginx

pytestmark = pytest.mark.real

CONTENT = os.urandom(3 * 1024 * 1024)
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
PATH = f"/v2/{USERNAME}/app/blobs/{DIGEST}"


class Answer(t.NamedTuple):
    """A response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def ask(
    forge: Forge, method: str, path: str, *, body: bytes | None = None, **headers: str
) -> Answer:
    """Send a request as alice. Underscores in names of headers are dashes."""
    connection = http.client.HTTPConnection("127.0.0.1", forge.port, timeout=60)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        authorization = {"Authorization": basic(USERNAME, PASSWORD)}
        connection.request(method, path, body, authorization | sent)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


@pytest.mark.parametrize("name", ["versitygw", "azurite"])
def test_nginx_sends_blobs_of_a_store_as_the_registry_does(name: str) -> None:
    """The headers are those of the registry, and ranges are exact. No client requests
    the location. If the store fails, the client gets the registry's error."""
    with STORES[name]() as store, contextlib.ExitStack() as stack:
        forge = StoreBehindNginx(store, "oci")
        stack.enter_context(forge)
        uploads = f"/v2/{USERNAME}/app/blobs/uploads/?digest={DIGEST}"
        pushed = ask(forge, "POST", uploads, body=CONTENT)
        assert pushed.status == 201
        whole = ask(forge, "GET", PATH)
        assert (whole.status, whole.body) == (200, CONTENT)
        expected = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(len(CONTENT)),
            "Content-Disposition": "attachment",
            "Cache-Control": "private, max-age=31536000, immutable, no-transform",
            "Docker-Content-Digest": DIGEST,
            "ETag": f'"{DIGEST}"',
        }
        for header, value in expected.items():
            assert whole.headers.get_all(header) == [value]
        assert not {"X-Accel-Redirect", "X-Oci-Range"} & set(whole.headers)
        part = ask(forge, "GET", PATH, Range="bytes=-10", If_Range=f'"{DIGEST}"')
        assert (part.status, part.body) == (206, CONTENT[-10:])
        size = len(CONTENT)
        assert part.headers["Content-Range"] == f"bytes {size - 10}-{size - 1}/{size}"
        # Headers of the client neither reach the store nor select what it sends.
        hostile = {"X_Accel_Redirect": "/etc/passwd", "X_Oci_Range": "bytes=0-0"}
        hostile["X_Amz_Acl"] = "public-read"
        same = ask(forge, "GET", PATH, body=None, **hostile)
        assert (same.status, same.body) == (200, CONTENT)
        location = f"/_oci_blobs/{forge.location}/"
        for path in (location, f"{location}blobs/oci/identity", "/@oci_stream"):
            assert ask(forge, "GET", path).status == 404
        done = forge.run(
            *("oci", "check", "--json", "--url", forge.url, "--user", USERNAME)
        )
        codes = {found["code"] for found in json.loads(done.stdout)["findings"]}
        assert codes <= {"bucket-without-abort-rule", "collection-missing"}
        # The log of the store's failure has the URL, that of the registry has not.
        store.process.kill()
        store.process.wait()
        failed = ask(forge, "GET", PATH)
        assert (failed.status, failed.headers["Retry-After"]) == (503, "60")
        assert json.loads(failed.body)["errors"][0]["code"] == "UNAVAILABLE"
        assert failed.headers["Cache-Control"] is None
        assert ask(forge, "HEAD", PATH).status == 200
        log = forge.log.read_text()
        assert "does not answer" in log
        assert "X-Amz-Signature" not in log
        assert "sig=" not in log


class _Other(QuietHandler):
    """A server at another address of the store."""

    def do_GET(self) -> None:
        """Answer with other bytes."""
        self.send_response_only(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"other")


def test_nginx_follows_a_store_whose_address_changes() -> None:
    """nginx resolves the name of the store again, and the store accepts the signature
    of the path. A range and the digest are as with a fixed address."""
    with (
        STORES["versitygw"]() as store,
        NameServer("127.0.0.2") as names,
        LoopbackServer(_Other, ("127.0.0.2", store.port)),
        NamedStoreBehindNginx(store, "oci", names.port) as forge,
    ):
        uploads = f"/v2/{USERNAME}/app/blobs/uploads/?digest={DIGEST}"
        assert ask(forge, "POST", uploads, body=CONTENT).status == 201
        assert ask(forge, "GET", PATH).body == b"other"
        names.address = "127.0.0.1"
        # Each process of nginx resolves the name on its own.
        found: list[Answer] = []

        def is_found() -> bool:
            found.append(ask(forge, "GET", PATH, Range="bytes=-10"))
            return found[-1].body != b"other"

        wait_until(is_found, 30, "the change")
        assert (found[-1].status, found[-1].body) == (206, CONTENT[-10:])
        assert found[-1].headers.get_all("Docker-Content-Digest") == [DIGEST]
        wait_until(lambda: ask(forge, "GET", PATH).body == CONTENT, 30, "the change")
        # The registry knows the store by its fixed address, and sent no bytes.
        names.address = "127.0.0.2"
        wait_until(lambda: ask(forge, "GET", PATH).body == b"other", 30, "the change")
