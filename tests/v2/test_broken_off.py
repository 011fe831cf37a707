"""Killed imports and exports: no partial results, and the next run continues."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
import typing as t
from pathlib import Path

import pytest

from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.command_line import Terminal
from tests.support.forge import environment
from tests.support.paths import ROOT
from tests.support.registry_client import RegistryClient

NAME = "alice/app"

#: Large enough to be killed in the middle of.
LARGE, SMALL = os.urandom(1024 * 1024), b"small"
ONE, OTHER = image(SMALL, LARGE), image(SMALL)
INDEX = index(*(descriptor(manifest, OCI_MANIFEST) for manifest in (ONE, OTHER)))
TAGS = {"1.0": ONE, "2.0": OTHER, "latest": INDEX}

#: Moves images as a host's own code does, and ends its process in the middle.
MOVE = """
import os, signal, sys
import example_app
from flask_oci.transfer import TransferProgress

what, place, name, at = sys.argv[1:]

class Fatal(TransferProgress):
    left = int(at)

    def advance(self, size):
        self.left -= size
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

app = example_app.create_app({"TESTING": True})
with app.app_context():
    images = app.extensions["oci"].images
    if what == "import":
        images.import_from(place, name, progress=Fatal())
    else:
        form = "tar" if place.endswith(".tar") else "folder"
        images.export_to(place, name, format=form, progress=Fatal())
"""


@pytest.fixture(name="terminal", scope="module")
def _terminal(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Terminal]:
    """A forge with images, and an archive of them."""
    terminal = Terminal(tmp_path_factory.mktemp("forge"))
    for blob in (CONFIG, SMALL, LARGE):
        terminal.alice.push_blob(NAME, blob)
    for tag, manifest in TAGS.items():
        terminal.alice.push_manifest(NAME, manifest, tag)
    terminal.say("export", NAME, str(terminal.folder / "whole.tar"))
    yield terminal
    terminal.close()


def kill(terminal: Terminal, what: str, place: Path, name: str, at: int) -> None:
    """Begin to move images in a process that is killed when so many bytes have gone."""
    done = subprocess.run(
        [sys.executable, "-c", MOVE, what, str(place), name, str(at)],
        cwd=ROOT,
        env=environment(terminal.folder, {}) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def visible(alice: RegistryClient, name: str) -> list[str]:
    """Return the tags that a client sees, each of which has to be whole."""
    response = alice.get(f"/v2/{name}/tags/list")
    tags = response.get_json()["tags"] if response.status_code == 200 else []
    for tag in tags:
        assert alice.get(f"/v2/{name}/manifests/{tag}").data == TAGS[tag]
        for blob in (CONFIG, SMALL) + ((LARGE,) if tag != "2.0" else ()):
            path = f"/v2/{name}/blobs/{digest_of(blob)}"
            assert alice.get(path).data == blob
    return t.cast("list[str]", tags)


def test_import_killed_is_completed_by_the_next(terminal: Terminal) -> None:
    """A tag is set after everything that it needs; the next import adds the rest."""
    # The registry would mount the blobs that it has, and nothing would be transferred.
    elsewhere = Terminal(terminal.folder / "elsewhere")
    archive = terminal.folder / "whole.tar"
    kill(elsewhere, "import", archive, "alice/new", len(CONFIG) + len(LARGE) // 2)
    assert {*visible(elsewhere.alice, "alice/new")} < {*TAGS}
    elsewhere.say("import", str(archive), "alice/new")
    assert {*visible(elsewhere.alice, "alice/new")} == {*TAGS}
    assert elsewhere.say("fsck", "--json").strip() == "[]"
    elsewhere.close()


def test_export_archive_killed_leaves_no_partial_file(terminal: Terminal) -> None:
    """An archive gets its name when it is complete, and an older archive is unchanged
    until then."""
    target = terminal.folder / "out.tar"
    target.write_bytes(b"an older one")
    kill(terminal, "export", target, NAME, len(LARGE) // 2)
    assert target.read_bytes() == b"an older one"
    terminal.say("export", NAME, str(target))
    assert target.read_bytes() == (terminal.folder / "whole.tar").read_bytes()


def test_export_folder_killed_leaves_no_partial_file(terminal: Terminal) -> None:
    """A layout has no partial files and lists no incomplete image; the next export
    writes the rest."""
    target = terminal.folder / "out"
    kill(terminal, "export", target, NAME, len(LARGE) // 2)
    for path in target.glob("blobs/sha256/*"):
        if not path.name.endswith(".part"):
            assert digest_of(path.read_bytes()) == f"sha256:{path.name}"
    assert not (target / "index.json").exists()
    terminal.say("export", NAME, str(target))
    terminal.say("import", str(target), "alice/copy")
    assert {*visible(terminal.alice, "alice/copy")} == {*TAGS}
    assert {path.name for path in target.glob("blobs/sha256/*")} >= {
        digest_of(blob).partition(":")[2]
        for blob in (CONFIG, SMALL, LARGE, *TAGS.values())
    }


@pytest.mark.real
def test_import_broken_pipe_stores_no_image(terminal: Terminal) -> None:
    """An image that came through a broken pipe is not stored."""
    elsewhere = Terminal(terminal.folder / "piped")
    archive = (terminal.folder / "whole.tar").read_bytes()
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "flask", "--app", "example_app"),
            *("oci", "import", "-", "alice/new"),
        ],
        cwd=ROOT,
        env=environment(elsewhere.folder, {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        bufsize=0,
    ) as process:
        assert process.stdin
        # More than a pipe holds has been taken out of it when this returns.
        process.stdin.write(half_of(archive))
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not visible(elsewhere.alice, "alice/new")
    elsewhere.run("import", "-", "alice/new", typed=archive)
    assert {*visible(elsewhere.alice, "alice/new")} == {*TAGS}
    elsewhere.close()


def half_of(archive: bytes) -> bytes:
    """Return an archive up to the middle of its largest file."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        largest = max(members, key=lambda member: member.size)
    return archive[: largest.offset_data + largest.size // 2]
