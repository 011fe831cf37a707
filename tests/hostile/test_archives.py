"""Malicious archives: no file is read or written outside, sizes are limited, and no
image results that could not have been pushed."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import tracemalloc
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from flask_oci import RegistryError
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.transfer import archive_reader
from flask_oci.transfer import Images
from flask_oci.transfer import TransferError
from tests.support import archives
from tests.support.archives import layout
from tests.support.archives import link
from tests.support.archives import listed
from tests.support.archives import tar
from tests.support.host import registry
from tests.support.registry_client import RegistryClient

pytestmark = pytest.mark.sqlite_only

MIB = 1024 * 1024
IMAGE = image(LAYER)
ENTRIES = [listed(IMAGE, "1.0")]
GOOD = layout(ENTRIES, IMAGE, CONFIG, LAYER)
BLOB = archives.blob_path(LAYER)
WITHOUT = layout(ENTRIES, IMAGE, CONFIG)


@pytest.fixture(name="images")
def _images(app: Flask) -> t.Iterator[Images]:
    """The host's own code, within an application context."""
    with app.app_context():
        yield registry.images


def archive(content: bytes) -> archive_reader.Archive:
    """Read the headers of an archive."""
    return archive_reader.Archive(io.BytesIO(content))


@pytest.mark.parametrize("name", ["../layer", "/layer", "a/../../layer", "..", "/"])
def test_archive_name_outside_is_ignored(
    images: Images, tmp_path: Path, name: str
) -> None:
    """A path outside of the archive is not a valid name: no file is created, and no
    file is found by it."""
    members = {**GOOD, name: b"not wanted"}
    before = sorted(tmp_path.parent.iterdir())
    images.import_from(tar(members), "alice/app")
    assert sorted(tmp_path.parent.iterdir()) == before
    assert archive(tar({name: b"x"}).getvalue()).size(name) is None


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../../../../etc/passwd", BLOB, "a", "../../b"]
)
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_archive_link_outside_is_not_followed(
    images: Images, alice: RegistryClient, target: str, kind: bytes
) -> None:
    """It leads nowhere: to no file of the machine, and not around in a circle."""
    links = [link(BLOB, target, kind), link("a", "b"), link("b", "a")]
    with pytest.raises(TransferError, match=r"There is no|without a target"):
        images.import_from(tar(WITHOUT, *links), "alice/app")
    assert alice.head(f"/v2/alice/app/blobs/{digest_of(LAYER)}").status_code == 404


@pytest.mark.parametrize("how", ["file", "folder", "pipe", "device"])
def test_layout_link_outside_is_not_followed(
    images: Images, tmp_path: Path, how: str
) -> None:
    """A link out of a folder is no file of it, even to the very bytes that are wanted.
    A pipe is not waited for."""
    inside = archives.fill(tmp_path / "in", WITHOUT)
    outside = archives.fill(tmp_path / "out", {BLOB: LAYER})
    blob = inside / BLOB
    if how == "file":
        blob.symlink_to(outside / BLOB)
    elif how == "pipe":
        os.mkfifo(blob)
    elif how == "device":
        blob.symlink_to("/dev/zero")
    else:
        for name in WITHOUT:
            if name.startswith("blobs/"):
                (outside / name).write_bytes(WITHOUT[name])
                (inside / name).unlink()
        (inside / "blobs/sha256").rmdir()
        (inside / "blobs/sha256").symlink_to(outside / "blobs/sha256")
    with pytest.raises(TransferError):
        images.import_from(inside, "alice/app")


def test_docker_archive_cannot_name_local_files(images: Images, tmp_path: Path) -> None:
    """The author of an archive chooses the names of its layers."""
    (tmp_path / "secret").write_bytes(gzip.compress(b"of somebody"))
    config = archives.config_of(b"whatever it is")
    for path in ("../secret", str(tmp_path / "secret"), "a/../../secret"):
        members = archives.saved(config, {"a": b""}, "app:1.0")
        members["manifest.json"] = members["manifest.json"].replace(
            b"a/layer.tar", path.encode()
        )
        folder = archives.fill(tmp_path / "in", members)
        for source in (folder, tar(members)):
            with pytest.raises(TransferError, match="There is no"):
                images.import_from(source, "alice/app")


def test_archive_duplicate_name_is_refused(images: Images) -> None:
    """Two readers would take different files for the one that is meant."""
    file = tar(GOOD)
    twice = file.getvalue()[: -2 * tarfile.BLOCKSIZE].rstrip(b"\0")
    twice += b"\0" * (-len(twice) % tarfile.BLOCKSIZE)
    twice += tar({"./index.json": GOOD["index.json"]}).getvalue()
    with pytest.raises(TransferError, match=r"index\.json twice"):
        images.import_from(io.BytesIO(twice), "alice/app")


def test_archive_decompression_is_limited(images: Images) -> None:
    """It is let go as soon as it is larger than it may be."""
    bomb = gzip.compress(bytes(20 * MIB))
    tracemalloc.start()
    with pytest.raises(TransferError, match="uncompressed"):
        images.import_from(io.BytesIO(bomb), "alice/app", limit=10 * MIB)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * MIB


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_archive_large_header_is_refused(tmp_path: Path, kind: bytes) -> None:
    """The standard library would read it whole. A file with holes takes no disk."""
    header = tarfile.TarInfo("pax")
    header.type, header.size = kind, 4 * 1024 * MIB
    with (tmp_path / "in").open("wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.truncate(5 * 1024 * MIB)
    with (
        pytest.raises(TransferError, match=f"has {header.size} bytes"),
        archive_reader.opened(str(tmp_path / "in")),
    ):
        pytest.fail("it was opened")


def test_archive_large_manifest_is_refused(images: Images, tmp_path: Path) -> None:
    """Files that are read as a whole have a maximum size, whatever the archive
    declares."""
    member = tarfile.TarInfo("index.json")
    member.size = 4 * 1024 * MIB
    with (tmp_path / "in").open("wb") as file:
        file.write(tar({"oci-layout": archives.MARK}).getvalue()[:1024])
        file.write(member.tobuf(tarfile.GNU_FORMAT))
        file.truncate(5 * 1024 * MIB)
    with pytest.raises(TransferError, match="the limit is"):
        images.import_from(tmp_path / "in", "alice/app")


def test_archive_large_layer_uses_little_memory(images: Images, tmp_path: Path) -> None:
    """A large layer goes in and out a piece at a time."""
    layer = os.urandom(MIB) * 24
    manifest = image(layer)
    members = layout([listed(manifest, "1.0")], manifest, CONFIG, layer)
    (tmp_path / "in").write_bytes(tar(members).getvalue())
    del members
    tracemalloc.start()
    images.import_from(tmp_path / "in", "alice/app")
    images.export_to(tmp_path / "out", "alice/app", format="docker")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MIB


def test_archive_too_many_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them would have to be remembered."""
    monkeypatch.setattr(archive_reader, "MAX_FILES", 10)
    with pytest.raises(TransferError, match="more than 10 files"):
        archive(tar({str(n): b"" for n in range(11)}).getvalue())


def test_archive_sparse_file_is_refused() -> None:
    """A file with holes says that it is larger than what the archive has of it."""
    sparse = tarfile.TarInfo("hole")
    sparse.type = tarfile.GNUTYPE_SPARSE
    assert archive(tar({}, sparse).getvalue()).size("hole") is None


@pytest.mark.parametrize("mark", [b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd\0\0"])
def test_archive_other_compression_is_refused(images: Images, mark: bytes) -> None:
    """They are refused, and the message says what to do."""
    with pytest.raises(TransferError, match="decompress it first"):
        images.import_from(io.BytesIO(mark + bytes(100)), "alice/app")


PACKED = tar(GOOD).getvalue()
OLD = tar(
    archives.saved(archives.config_of(LAYER), {"a": LAYER, "b": b""}, "app:1.0"),
    link("c/layer.tar", "../a/layer.tar"),
).getvalue()
CONTENT = {digest_of(content) for content in (IMAGE, CONFIG, LAYER)}
edits = st.lists(
    st.tuples(st.integers(0, len(PACKED) - 1), st.binary(min_size=1, max_size=12)),
    max_size=4,
)
MANY = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@MANY
@given(base=st.sampled_from([PACKED, OLD]), edits=edits, cut=st.integers(0, 2048))
def test_archive_damaged_is_imported_completely_or_not(
    images: Images,
    alice: RegistryClient,
    base: bytes,
    edits: list[tuple[int, bytes]],
    cut: int,
) -> None:
    """An archive is imported completely, or refused with a reason."""
    damaged = bytearray(base[: len(base) - cut])
    for position, piece in edits:
        damaged[position : position + len(piece)] = piece
    try:
        moved = images.import_from(io.BytesIO(bytes(damaged)), "alice/app")
    except (TransferError, RegistryError):
        return
    for _, digest in moved.images:
        answer = alice.get(f"/v2/alice/app/manifests/{digest}")
        assert digest_of(answer.data) == str(digest)


@MANY
@given(content=st.binary(max_size=3000) | st.binary(max_size=600).map(gzip.compress))
def test_archive_random_bytes_are_refused(images: Images, content: bytes) -> None:
    """Anything at all is refused with a reason."""
    with pytest.raises((TransferError, RegistryError)):
        images.import_from(io.BytesIO(content), "alice/app")


NAMES = st.text("abc/.-_ é", min_size=1, max_size=120).filter(
    lambda name: not name.endswith("/")
)


@given(
    members=st.dictionaries(NAMES, st.binary(max_size=700), max_size=5),
    form=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_archive_files_are_found_by_name(members: archives.Members, form: int) -> None:
    """Each file of an archive is found by its name, byte for byte."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as packed:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    wanted = {}
    for name, content in members.items():
        normal = os.path.normpath(name)
        if normal in wanted:
            return
        wanted[normal] = content
    found = archive(file.getvalue())
    for name, content in wanted.items():
        if name.startswith(("/", "..")) or name == ".":
            continue
        assert archive_reader.read(found, name, 1000) == content


class CountedReads(io.BytesIO):
    """An archive that counts the bytes that are read from it."""

    total = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        piece = super().read(size)
        self.total += len(piece)
        return piece


def test_docker_archive_hashes_linked_layer_once(images: Images) -> None:
    """Hundreds of links to one layer, and to one config, cost as much as one."""
    layer = bytes(4 * MIB)
    config = archives.config_of(*[layer] * 180)
    members = archives.saved(config, {"one": layer}, "app:1")
    (saved,) = json.loads(members["manifest.json"])
    layers = [f"{n}/layer.tar" for n in range(180)]
    links = [link(name, "one/layer.tar", tarfile.LNKTYPE) for name in layers]
    links += [link(f"c{n}.json", saved["Config"], tarfile.LNKTYPE) for n in range(50)]
    members["manifest.json"] = json.dumps(
        [
            {"Config": f"c{n}.json", "RepoTags": [f"app:{n}"], "Layers": layers}
            for n in range(50)
        ]
    ).encode()
    file = CountedReads(tar(members, *links).getvalue())
    moved = images.import_from(file, "alice/app")
    assert len(moved.images) == 50
    # The headers, the layer for its digest, and the layer for the storage.
    assert file.total < 3 * len(layer)


def test_layout_reads_manifest_of_many_names_once(images: Images) -> None:
    """Thousands of names of one large manifest cost little more than one."""
    large = image(LAYER, annotations={"a": "x" * MIB})
    entries = [listed(large, f"v{number}") for number in range(200)]
    file = CountedReads(tar(layout(entries, large, CONFIG, LAYER)).getvalue())
    moved = images.import_from(file, "alice/app")
    assert len(moved.images) == 200
    assert file.total < 4 * MIB
