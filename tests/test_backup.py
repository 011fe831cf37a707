"""A backup that is made, as the documentation says, while people push and delete and
the registry collects; and what there is when it is restored somewhere else."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import typing as t
from contextlib import closing
from pathlib import Path

import pytest
import requests

from forge import Forge
from forge import PASSWORD
from forge import ROOT
from forge import tool
from forge import USERNAME
from registry_client import digest_of
from registry_client import image
from registry_client import OCI_MANIFEST

pytestmark = pytest.mark.real

#: How many images each of them pushes before the backup begins.
BEFORE = 8
PUSHERS = ("alice/one", "alice/two", "alice/three")
#: Everything that can be collected is, as soon as the grace period has ended.
SETTINGS = {
    "OCI_GRACE_PERIOD": "120",
    "OCI_UNTAGGED_LIFETIME": "1",
    "OCI_UPLOAD_LIFETIME": "1",
}


class Pusher:
    """Somebody who pushes images, and deletes some, until told to stop."""

    def __init__(self, forge: Forge, name: str) -> None:
        self.acknowledged: list[tuple[str, bytes, list[bytes]]] = []
        """The tag, the manifest and the blobs of each image, in order."""

        self._url = f"{forge.url}/v2/{name}"
        self._session = requests.Session()
        self._session.auth = (USERNAME, PASSWORD)
        self.name = name

    def push(self) -> None:
        """Push an image of content that there is nowhere else."""
        number = len(self.acknowledged)
        blobs = [f"{self.name} {number} {i}".encode() * 2000 for i in range(3)]
        for blob in blobs:
            self._sent("POST", f"blobs/uploads/?digest={digest_of(blob)}", blob, 201)
        manifest = image(*blobs[1:], config=blobs[0])
        self._sent("PUT", f"manifests/v{number}", manifest, 201)
        self.acknowledged.append((f"v{number}", manifest, blobs))

    def delete(self, number: int) -> None:
        """Delete an image, and all that it is made of."""
        _, manifest, blobs = self.acknowledged[number]
        for path in (
            f"manifests/{digest_of(manifest)}",
            *(f"blobs/{digest_of(blob)}" for blob in blobs),
        ):
            self._sent("DELETE", path, b"", 202)

    def go_on(self, stop: threading.Event) -> None:
        """Push, and delete what was pushed long ago, until it is time to stop."""
        number = 0
        while not stop.is_set():
            self.push()
            self.delete(number)
            number += 1

    def _sent(self, method: str, path: str, body: bytes, status: int) -> None:
        headers = {"Content-Type": OCI_MANIFEST} if method == "PUT" else {}
        response = self._session.request(
            method, f"{self._url}/{path}", data=body, headers=headers, timeout=60
        )
        assert response.status_code == status, response.text


def flask(instance: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the forge in some folder."""
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "example_app", "oci", *args],
        cwd=ROOT,
        env={**os.environ, **SETTINGS, "EXAMPLE_INSTANCE": str(instance)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def collect(instance: Path, stop: threading.Event) -> None:
    """Collect again and again."""
    while not stop.is_set():
        done = flask(instance, "gc")
        assert done.returncode == 0, done.stderr


def back_up(instance: Path, backup: Path) -> None:
    """Follow the documentation: the database first, and the folder second."""
    backup.mkdir()
    subprocess.run(
        [
            tool("sqlite3", "Debian's sqlite3"),
            instance / "forge.db",
            f".backup {backup}/forge.db",
        ],
        check=True,
        timeout=120,
    )
    rsync = tool("rsync", "Debian's rsync")
    folders = (f"{instance}/oci/", f"{backup}/oci/")
    subprocess.run(
        [rsync, "-a", "--exclude=uploads", "--exclude=locks", *folders],
        check=True,
        timeout=120,
    )


def restore(backup: Path, forge: Forge) -> None:
    """Follow the documentation: put both into place while nothing runs."""
    forge.instance.mkdir()
    shutil.copy(backup / "forge.db", forge.instance)
    shutil.copytree(backup / "oci", forge.instance / "oci")


@pytest.fixture(name="threads")
def _threads() -> t.Iterator[t.Callable[..., None]]:
    """Return a function that has others do something until the test is over."""
    stop = threading.Event()
    running: list[threading.Thread] = []
    errors: list[BaseException] = []

    def work(function: t.Callable[..., None], *args: object) -> None:
        try:
            function(*args, stop)
        except BaseException as error:
            errors.append(error)

    def begin(function: t.Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=(function, *args))
        thread.start()
        running.append(thread)

    yield begin
    stop.set()
    for thread in running:
        thread.join()
    assert not errors


def test_a_backup_under_load(threads: t.Callable[..., None], tmp_path: Path) -> None:
    """Whatever was acknowledged before a backup began is served from it, even what was
    deleted, and would have been collected, while it was made."""
    with Forge("gunicorn", **SETTINGS) as forge:
        pushers = [Pusher(forge, name) for name in PUSHERS]
        for pusher in pushers:
            for _ in range(BEFORE):
                pusher.push()
        before = {p.name: list(p.acknowledged) for p in pushers}
        age_everything(forge.instance)
        for pusher in pushers:
            threads(pusher.go_on)
        threads(collect, forge.instance)

        back_up(forge.instance, tmp_path / "backup")

        with Forge("gunicorn", **SETTINGS) as restored:
            restored.stop()
            shutil.rmtree(restored.instance)
            restore(tmp_path / "backup", restored)
            done = flask(restored.instance, "fsck", "--repair", "--scrub")
            assert done.returncode == 0, done.stdout + done.stderr
            assert "lost" not in done.stdout
            restored.start()
            for name, images in before.items():
                for tag, manifest, blobs in images:
                    url = f"{restored.url}/v2/{name}"
                    assert fetch(f"{url}/manifests/{tag}") == manifest
                    for blob in blobs:
                        assert fetch(f"{url}/blobs/{digest_of(blob)}") == blob


def fetch(url: str) -> bytes:
    """Pull something."""
    response = requests.get(url, auth=(USERNAME, PASSWORD), timeout=60)
    assert response.status_code == 200, response.text
    return response.content


def age_everything(instance: Path) -> None:
    """Have everything look as if nobody had needed it for long."""
    with closing(sqlite3.connect(instance / "forge.db", timeout=60)) as connection:
        for change in (
            "UPDATE oci_repository_blob SET leased_at = '2020-01-01 00:00:00'",
            "UPDATE oci_manifest SET touched_at = '2020-01-01 00:00:00'",
        ):
            connection.execute(change)
        connection.commit()
