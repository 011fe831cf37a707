"""A real server on a disk that is full, read-only or owned by another account."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import requests

from flask_oci.testing.manifests import digest_of
from tests.support.forge import environment
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import unavailable
from tests.support.forge import USERNAME
from tests.support.forge import wait_until
from tests.support.paths import ROOT

pytestmark = pytest.mark.real

MIB = 1024 * 1024
SMALL = b"small" * 1000
LARGE = os.urandom(6 * MIB)
UPLOADS = "/v2/alice/app/blobs/uploads/"


class Disk:
    """A small disk for one test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self._mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path))

    def remount(self, options: str) -> None:
        """Mount the disk with other options."""
        self._mount("-o", f"remount,{options}", str(self.path))

    def uploads(self) -> list[Path]:
        """Return the files of upload sessions."""
        return list(self.path.rglob("oci/uploads/*"))

    def unmount(self) -> None:
        """Unmount the disk, which deletes its content."""
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)

    def _mount(self, *args: str) -> None:
        done = subprocess.run(
            [tool("mount", "Debian's mount"), *args],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            unavailable(f"mounting a disk requires root: {done.stderr}")


@pytest.fixture(name="disk")
def _disk(tmp_path: Path) -> t.Iterator[Disk]:
    """A disk of four mebibytes."""
    disk = Disk(tmp_path / "disk")
    yield disk
    disk.unmount()


@pytest.fixture(name="forge")
def _forge(disk: Disk) -> t.Iterator[Forge]:
    """A forge with its blobs on the small disk, and its database on another one."""
    with Forge("gunicorn", OCI_STORAGE_PATH=f"{disk.path}/oci") as forge:
        yield forge


def send(forge: Forge, method: str, path: str, body: bytes = b"") -> requests.Response:
    """Send a request as alice."""
    return requests.request(
        method,
        f"{forge.url}{path}",
        data=body,
        auth=(USERNAME, PASSWORD),
        timeout=60,
    )


def push(forge: Forge, content: bytes) -> requests.Response:
    """Push a blob in one request."""
    return send(forge, "POST", f"{UPLOADS}?digest={digest_of(content)}", content)


def assert_unavailable(response: requests.Response, cause: str) -> None:
    """Check for a 503 with the cause."""
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "60"
    (error,) = response.json()["errors"]
    assert error["code"] == "UNAVAILABLE"
    assert cause in error["message"]


def assert_served(forge: Forge, content: bytes) -> None:
    """Check that a blob can be pulled."""
    response = send(forge, "GET", f"/v2/alice/app/blobs/{digest_of(content)}")
    assert response.status_code == 200
    assert response.content == content


def test_full_disk_fails_pushes_until_there_is_space(forge: Forge, disk: Disk) -> None:
    """A push that does not fit gets 503 and leaves nothing; a session continues once
    there is space."""
    assert push(forge, SMALL).status_code == 201
    assert_unavailable(push(forge, LARGE), "full")
    assert disk.uploads() == []
    assert_served(forge, SMALL)

    location = send(forge, "POST", UPLOADS).headers["Location"]
    assert_unavailable(send(forge, "PATCH", location, LARGE), "full")
    assert_served(forge, SMALL)
    disk.remount("size=32m")
    stored = int(send(forge, "GET", location).headers["Range"].partition("-")[2]) + 1
    assert MIB < stored < len(LARGE)
    assert send(forge, "PATCH", location, LARGE[stored:]).status_code == 202
    put = f"{location}?digest={digest_of(LARGE)}"
    assert send(forge, "PUT", put).status_code == 201
    assert_served(forge, LARGE)


def test_full_disk_with_database_serves_pulls_and_is_collected(disk: Disk) -> None:
    """The database is on the full disk as well: pulls continue with every credential,
    and the collection makes space for pushes."""
    forge = Forge("gunicorn", OCI_UPLOAD_LIFETIME="1", OCI_STORAGE_RESERVE="0")
    forge.instance = disk.path / "instance"
    with forge:
        token = forge.command("oci", "token", "create", USERNAME).split()[-1]
        assert push(forge, SMALL).status_code == 201
        location = send(forge, "POST", UPLOADS).headers["Location"]
        assert_unavailable(send(forge, "PATCH", location, LARGE), "full")
        filler = disk.path / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        path = f"{forge.url}/v2/alice/app/blobs/{digest_of(SMALL)}"
        for method in ("HEAD", "GET"):
            for secret in (PASSWORD, token):
                credentials = (USERNAME, secret)
                found = requests.request(method, path, auth=credentials, timeout=60)
                assert found.status_code == 200, found.text
        assert push(forge, b"more").status_code == 503
        for upload in disk.uploads():
            os.utime(upload, (0, 0))
        forge.command("oci", "gc")
        assert push(forge, b"more").status_code == 201


def test_reserve_keeps_space_for_database(disk: Disk) -> None:
    """Pushes cannot use the reserved space, so that deletions need no other cure."""
    forge = Forge("gunicorn", OCI_STORAGE_RESERVE=str(MIB))
    forge.instance = disk.path / "instance"
    with forge:
        assert push(forge, SMALL).status_code == 201
        location = send(forge, "POST", UPLOADS).headers["Location"]
        assert_unavailable(send(forge, "PATCH", location, LARGE), "almost full")
        assert_unavailable(push(forge, LARGE[:MIB]), "almost full")
        free = os.statvfs(disk.path)
        assert free.f_bavail * free.f_frsize > MIB // 2
        assert send(forge, "DELETE", location).status_code == 204
        assert push(forge, SMALL[1:]).status_code == 201
        forge.command("oci", "gc")


def test_read_only_disk_serves_pulls(forge: Forge, disk: Disk) -> None:
    """A read-only disk serves pulls; pushes succeed once it is writable."""
    assert push(forge, SMALL).status_code == 201
    location = send(forge, "POST", UPLOADS).headers["Location"]
    assert send(forge, "PATCH", location, LARGE[:MIB]).status_code == 202
    disk.remount("ro")
    put = f"{location}?digest={digest_of(LARGE[:MIB])}"
    for response in (
        push(forge, b"more"),
        send(forge, "POST", UPLOADS),
        send(forge, "PATCH", location, b"more"),
        send(forge, "PUT", put),
    ):
        assert_unavailable(response, "read-only")
    assert_served(forge, SMALL)
    path = f"/v2/alice/app/blobs/{digest_of(SMALL)}"
    assert send(forge, "HEAD", path).status_code == 200
    disk.remount("rw")
    assert send(forge, "PUT", put).status_code == 201
    assert_served(forge, LARGE[:MIB])


def test_folder_without_permission_is_reported(tmp_path: Path) -> None:
    """A registry without permission to write names the cause."""
    within: tuple[str, ...] = ()
    if os.geteuid() == 0:
        # Root ignores file permissions until it loses this capability.
        setpriv = tool("setpriv", "Debian's util-linux")
        within = (setpriv, "--bounding-set=-dac_override", "--inh-caps=-all")
    folder = tmp_path / "oci"
    with Forge("gunicorn", within=within, OCI_STORAGE_PATH=str(folder)) as forge:
        assert push(forge, SMALL).status_code == 201
        closed = [folder / "uploads", *folder.glob("blobs/*/*")]
        for path in closed:
            path.chmod(0o500)
        assert_unavailable(push(forge, SMALL), "no permission to write")
        assert_served(forge, SMALL)
        for path in closed:
            path.chmod(0o700)
        assert push(forge, SMALL).status_code == 201


def test_killed_scrub_continues(tmp_path: Path) -> None:
    """A killed scrub continues at its last position."""
    with Forge("gunicorn") as forge:
        blobs = sorted((os.urandom(MIB) for _ in range(16)), key=digest_of)
        for blob in blobs:
            assert push(forge, blob).status_code == 201
        bookmark = forge.instance / "oci" / "scrub"
        scrub = _fsck(forge.instance, "--scrub", "--rate", "1MiB")
        try:
            wait_until(bookmark.exists, 60, "reading the first blob")
        finally:
            scrub.send_signal(signal.SIGKILL)
            scrub.communicate()
        assert bookmark.read_text()

        # Blobs that were read are not read again, so that damage to it is not found.
        for blob in (blobs[0], blobs[-1]):
            _path(forge, blob).write_bytes(bytes(MIB))
        found, _ = _fsck(forge.instance, "--scrub").communicate(timeout=60)
        assert re.findall(r"damaged: (\S+)", found) == [digest_of(blobs[-1])]
        found, _ = _fsck(forge.instance, "--scrub").communicate(timeout=60)
        assert len(re.findall("damaged: ", found)) == 2


def _fsck(instance: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "flask",
            "--app",
            "example_app",
            "oci",
            "fsck",
            *options,
        ],
        cwd=ROOT,
        env=environment(instance, {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _path(forge: Forge, blob: bytes) -> Path:
    encoded = digest_of(blob).partition(":")[2]
    return forge.instance / "oci" / "blobs" / "sha256" / encoded[:2] / encoded
