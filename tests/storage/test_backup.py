"""Documented backups during pushes, deletions and collections, and their restore."""

from __future__ import annotations

import json
import shlex
import shutil
import sqlite3
import subprocess
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.database_servers import SERVERS
from tests.support.doc_blocks import typed
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME
from tests.support.forge import wait_until
from tests.support.paths import ROOT

pytestmark = pytest.mark.real

#: How many images each of them pushes before the backup begins.
BEFORE = 8
PAGE = "docs/maintenance.rst"
PUSHERS = ("alice/one", "alice/two", "alice/three")
#: The documented commands that dump and restore the database of a server.
DUMPS = {
    "postgresql": ("pg_dump", "psql"),
    "mariadb": ("mariadb-dump --single-transaction", "mariadb"),
}
#: Everything that can be collected is, as soon as the grace period has ended.
SETTINGS = {
    "OCI_GRACE_PERIOD": "120",
    "OCI_UNTAGGED_LIFETIME": "1",
    "OCI_UNDO_PERIOD": "1",
    "OCI_UPLOAD_LIFETIME": "1",
}


class Pusher:
    """A client that pushes images, and deletes some, until it is stopped."""

    def __init__(self, forge: Forge, name: str) -> None:
        self.acknowledged: list[tuple[str, bytes, list[bytes]]] = []
        """The tag, the manifest and the blobs of each image, in order."""

        self.deleted = 0
        """The number of deleted images, from the first on."""

        self.name = name
        self._url = f"{forge.url}/v2/{name}"
        self._session = requests.Session()
        # A password is checked slowly, on purpose.
        scope = f"repository:{name}:pull,push,delete"
        token = self._session.get(
            f"{forge.url}/v2/token",
            params={"service": "example_app", "scope": scope},
            auth=(USERNAME, PASSWORD),
            timeout=60,
        )
        self._session.headers["Authorization"] = f"Bearer {token.json()['token']}"

    def push(self) -> None:
        """Push an image with unique content."""
        number = len(self.acknowledged)
        blobs = [f"{self.name} {number} {i}".encode() * 2000 for i in range(3)]
        for blob in blobs:
            self._sent("POST", f"blobs/uploads/?digest={digest_of(blob)}", blob, 201)
        manifest = image(*blobs[1:], config=blobs[0])
        self._sent("PUT", f"manifests/v{number}", manifest, 201)
        self.acknowledged.append((f"v{number}", manifest, blobs))

    def delete(self) -> None:
        """Delete the oldest image and its blobs."""
        _, manifest, blobs = self.acknowledged[self.deleted]
        for path in (
            f"manifests/{digest_of(manifest)}",
            *(f"blobs/{digest_of(blob)}" for blob in blobs),
        ):
            self._sent("DELETE", path, b"", 202)
        self.deleted += 1

    def go_on(self, stop: threading.Event) -> None:
        """Push images and delete older ones until stopped."""
        while not stop.is_set():
            self.push()
            self.delete()

    def _sent(self, method: str, path: str, body: bytes, status: int) -> None:
        headers = {"Content-Type": OCI_MANIFEST} if method == "PUT" else {}
        response = self._session.request(
            method, f"{self._url}/{path}", data=body, headers=headers, timeout=60
        )
        assert response.status_code == status, response.text


class Collector:
    """Runs the garbage collection repeatedly until stopped."""

    def __init__(self, forge: Forge) -> None:
        self.done = 0
        """The number of collections."""

        self._forge = forge

    def go_on(self, stop: threading.Event) -> None:
        """Run the garbage collection repeatedly."""
        while not stop.is_set():
            self._forge.command("oci", "gc")
            self.done += 1


def type_at(folder: Path, command: str) -> None:
    """Run a command in the folder that has ``instance`` and ``backup``."""
    name, *arguments = shlex.split(command)
    program = tool(name, f"Debian's {name}")
    subprocess.run([program, *arguments], cwd=folder, check=True, timeout=120)


def place(folder: Path, instance: Path) -> None:
    """Link an instance folder at the place that the documentation names."""
    link = folder / "instance"
    link.unlink(missing_ok=True)
    link.symlink_to(instance)


@contextmanager
def busy(*jobs: t.Callable[[threading.Event], None]) -> t.Iterator[None]:
    """Run the workers in threads meanwhile, and raise their exceptions."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(jobs)) as pool:
        work = [pool.submit(job, stop) for job in jobs]
        try:
            yield
        finally:
            stop.set()
    for future in work:
        future.result()


def test_backup_under_load_has_all_acknowledged_content(tmp_path: Path) -> None:
    """A restored backup serves all content that was acknowledged before it began, also
    content that was deleted during it."""
    copy_database, copy_folder = typed(PAGE, "Backups")
    *restore, check = typed(PAGE, "Restoring")
    (tmp_path / "backup").mkdir()
    with Forge("gunicorn", **SETTINGS) as forge:
        place(tmp_path, forge.instance)
        pushers = [Pusher(forge, name) for name in PUSHERS]
        for pusher in pushers:
            for _ in range(BEFORE):
                pusher.push()
        age_everything(forge.instance)
        collector = Collector(forge)
        with busy(*(pusher.go_on for pusher in pushers), collector.go_on):
            # An image that is deleted at this moment may be in the backup or not.
            before = {p.name: p.acknowledged[p.deleted + 1 :] for p in pushers}
            type_at(tmp_path, copy_database)
            deleted = {pusher.name: pusher.deleted for pusher in pushers}
            done = collector.done
            wait_until(
                lambda: (
                    all(p.deleted > deleted[p.name] + 3 for p in pushers)
                    and collector.done > done + 2
                ),
                120,
                "deleting, and collecting",
            )
            type_at(tmp_path, copy_folder)
    with Forge("gunicorn", **SETTINGS) as restored:
        restored.stop()
        shutil.rmtree(restored.instance)
        restored.instance.mkdir()
        place(tmp_path, restored.instance)
        for command in restore:
            type_at(tmp_path, command)
        program, *arguments = shlex.split(check)
        assert program == "flask"
        assert "lost" not in restored.command(*arguments)
        restored.start()
        for name, images in before.items():
            for tag, manifest, blobs in images:
                url = f"{restored.url}/v2/{name}"
                assert fetch(f"{url}/manifests/{tag}") == manifest
                for blob in blobs:
                    assert fetch(f"{url}/blobs/{digest_of(blob)}") == blob


def fetch(url: str) -> bytes:
    """Return the response of a pull."""
    response = requests.get(url, auth=(USERNAME, PASSWORD), timeout=60)
    assert response.status_code == 200, response.text
    return response.content


def age_everything(instance: Path) -> None:
    """Set all leases and times to long ago."""
    with closing(sqlite3.connect(instance / "forge.db", timeout=60)) as connection:
        for change in (
            "UPDATE oci_repository_blob SET leased_at = '2020-01-01 00:00:00'",
            "UPDATE oci_manifest SET touched_at = '2020-01-01 00:00:00'",
        ):
            connection.execute(change)
        connection.commit()


@pytest.mark.parametrize("server", SERVERS)
def test_database_dump_restores_acknowledged_content(
    server: str, tmp_path: Path
) -> None:
    """An empty database with the restored dump serves the content from before it, and
    none from after it."""
    page = " ".join((ROOT / PAGE).read_text("utf-8").split())
    dump, load = DUMPS[server]
    assert f"``{dump}``" in page
    _, copy_folder = typed(PAGE, "Backups")
    (tmp_path / "backup").mkdir()
    with SERVERS[server](durable=False) as address:
        with Forge("gunicorn", DATABASE_URL=address) as forge:
            place(tmp_path, forge.instance)
            pusher = Pusher(forge, "alice/one")
            pusher.push()
            url = sa.make_url(address)
            copied = at_database(url, dump)
            type_at(tmp_path, copy_folder)
            pusher.push()
        other = empty_beside(url)
        at_database(other, load, copied)
        settings = {"DATABASE_URL": other.render_as_string(hide_password=False)}
        restored = Forge("gunicorn", **settings)
        shutil.copytree(tmp_path / "backup" / "oci", restored.instance / "oci")
        assert "lost" not in restored.command("oci", "fsck", "--repair", "--scrub")
        with restored:
            root = f"{restored.url}/v2/alice/one"
            tag, manifest, blobs = pusher.acknowledged[0]
            assert fetch(f"{root}/manifests/{tag}") == manifest
            for blob in blobs:
                assert fetch(f"{root}/blobs/{digest_of(blob)}") == blob
            assert json.loads(fetch(f"{root}/tags/list"))["tags"] == [tag]


def at_database(url: sa.URL, command: str, content: bytes = b"") -> bytes:
    """Run a command of the database server, and return its output."""
    name, *options = command.split()
    if "host" in url.query:
        where = [f"--host={url.query['host']}", f"--username={url.username}"]
    else:
        socket = f"--socket={url.query['unix_socket']}"
        where = ["--no-defaults", socket, f"--user={url.username}"]
    program = tool(name, f"Debian's {name}")
    return subprocess.run(
        [program, *where, *options, str(url.database)],
        input=content,
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    ).stdout


def empty_beside(url: sa.URL) -> sa.URL:
    """Create an empty database on the same server, and return its URL."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE restored"))
    return url.set(database="restored")
