"""The example forge with its blobs in a real object store."""

from __future__ import annotations

import hashlib
import http.client
import os
import threading
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from flask_oci.testing.requests import basic
from flask_oci.testing.requests import with_query
from tests.clients.images import make_image
from tests.clients.images import read_layout
from tests.clients.images import root_file_system
from tests.clients.shell import Client
from tests.conformance.test_conformance import check_everything
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME
from tests.support.object_stores import Store
from tests.support.object_stores import versitygw

pytestmark = pytest.mark.real

MIB: t.Final = 1024 * 1024


@pytest.fixture(name="store", scope="module")
def _store() -> t.Iterator[Store]:
    with versitygw() as store:
        yield store


@pytest.fixture(name="forge")
def _forge(store: Store, tmp_path: Path) -> t.Iterator[Forge]:
    with Forge(
        "gunicorn", OCI_ALLOW_SPARSE="true", **store.environment(tmp_path.name)
    ) as it:
        yield it


class Pusher:
    """A client that streams bytes, as docker does.

    :param forge: the server.
    :param secret: the password or a token of alice.
    """

    def __init__(self, forge: Forge, secret: str = PASSWORD) -> None:
        self._port = forge.port
        self._headers = {"Authorization": basic(USERNAME, secret)}

    def request(self, method: str, path: str, body: t.Any = None) -> t.Any:
        """Send a request, and return the response, whose body is read."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        try:
            connection.request(method, path, body, self._headers)
            response = connection.getresponse()
            response.read()
            return response
        finally:
            connection.close()

    def push(self, seed: int, pieces: int) -> None:
        """Push a blob of ``pieces`` MiB in one PATCH."""
        piece = os.urandom(MIB - 1) + bytes([seed])
        digest = hashlib.sha256(piece * pieces).hexdigest()
        started = self.request("POST", f"/v2/{USERNAME}/memory/blobs/uploads/")
        path = urlsplit(started.headers["Location"]).path
        # An iterator is sent as a chunked body.
        patched = self.request("PATCH", path, (piece for _ in range(pieces)))
        assert patched.status == 202
        done = self.request("PUT", with_query(path, digest=f"sha256:{digest}"))
        assert done.status == 201


def test_conformance_with_bucket_passes(forge: Forge, tmp_path: Path) -> None:
    """The suite skips no check."""
    check_everything(forge, tmp_path)


def test_image_is_pushed_by_crane_and_pulled_by_skopeo(
    forge: Forge, tmp_path: Path
) -> None:
    """An image has the same bytes after its way through the store."""
    crane = Client(
        (tool("crane", "go-containerregistry, built by Go"),),
        {"DOCKER_CONFIG": str(tmp_path / "docker")},
    )
    account = (f"--username={USERNAME}", "--password-stdin")
    crane("auth", "login", *account, forge.host, stdin=PASSWORD)
    image = make_image(root_file_system(tool("busybox", "Debian's busybox-static")))
    image.write(tmp_path / "layout")
    name = f"{forge.host}/{USERNAME}/image:1"
    crane("push", tmp_path / "layout", name)
    skopeo = Client((tool("skopeo", "Debian's skopeo"),), {})
    source = ("--src-tls-verify=false", f"--src-creds={USERNAME}:{PASSWORD}")
    skopeo("copy", *source, f"docker://{name}", f"oci:{tmp_path / 'pulled'}:1")
    assert image.digests <= read_layout(tmp_path / "pulled") | {image.digest}
    assert "PASS" in crane("validate", "--remote", name)
    assert '"bucket-' not in forge.run("oci", "check", "--json").stdout.replace(
        '"bucket-without-abort-rule"', ""
    )


def test_eight_pushes_to_one_process_stay_below_300_mib(
    store: Store, tmp_path: Path
) -> None:
    """Each of them has at most one part in memory. The client sends a token, because
    the verification of a password takes 32 MiB of the application's own."""
    settings = {"GUNICORN_CMD_ARGS": "--workers 1", **store.environment(tmp_path.name)}
    with Forge("gunicorn", **settings) as forge:
        secret = forge.command("oci", "token", "create", USERNAME).split()[-1]
        push_eight(forge, secret)
        peak = forge.peak_memory()
    print(f"peak: {peak / MIB:.0f} MiB")

    assert peak < 300 * MIB


def push_eight(forge: Forge, secret: str) -> None:
    """Push eight blobs of 48 MiB at once."""
    failures: list[BaseException] = []

    def push(seed: int) -> None:
        try:
            Pusher(forge, secret).push(seed, 48)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=push, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_store_that_stops_is_503_and_the_session_is_kept(tmp_path: Path) -> None:
    """Wrong keys, a missing bucket and a store that does not answer have their sentence
    in the log. The session is kept with the bytes that it had."""
    with versitygw() as store:
        good = store.environment(tmp_path.name)
        with Forge("gunicorn", **good) as forge:
            pusher = Pusher(forge)
            pusher.push(1, 1)
            missing = good["OCI_STORAGE"].replace("s3://blobs", "s3://missing")
            for setting, sentence in (
                ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "rejects the credentials"),
                ({"OCI_STORAGE": missing}, "The bucket does not exist."),
            ):
                forge.restart(**{**good, **setting})
                path = f"/v2/{USERNAME}/memory/blobs/uploads/"
                answer = pusher.request("POST", path)
                assert answer.status == 503
                assert answer.headers["Retry-After"] == "60"
                assert sentence in forge.log.read_text()
            forge.restart(**good)
            started = pusher.request("POST", path)
            location = urlsplit(started.headers["Location"]).path
            assert pusher.request("PATCH", location, b"a" * 100).status == 202
            store.process.kill()
            store.process.wait()
            assert pusher.request("PATCH", location, b"b" * 100).status == 503
            assert pusher.request("GET", location).headers["Range"] == "0-99"
            assert "does not answer" in forge.log.read_text()
