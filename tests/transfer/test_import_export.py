"""Import from and export to archives."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import random
import resource
import tarfile
import tempfile
import threading
import typing as t
from pathlib import Path

import pytest
from flask import Flask

from flask_oci import Denied
from flask_oci import RegistryError
from flask_oci import signals
from flask_oci.changes import Change
from flask_oci.errors import DigestInvalid
from flask_oci.errors import ManifestBlobUnknown
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import encoded
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.transfer import Images
from flask_oci.transfer import TransferError
from tests.support import archives
from tests.support.archives import layout
from tests.support.archives import listed
from tests.support.archives import saved
from tests.support.archives import tar
from tests.support.archives import unpack
from tests.support.command_line import Terminal
from tests.support.credentials import user_named
from tests.support.doc_blocks import BLOCKS
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep

MIB = 1024 * 1024
OTHER = b"another layer"
SBOM = "application/spdx+json"
FORMS: t.Final = ("folder", "tar", "docker")

IMAGE = image(LAYER)
ARM = image(OTHER, LAYER)
INDEX = index(
    descriptor(IMAGE, OCI_MANIFEST, platform={"os": "linux", "architecture": "amd64"}),
    descriptor(ARM, OCI_MANIFEST, platform={"os": "linux", "architecture": "arm64"}),
)
SIGNATURE = image(
    OTHER,
    artifactType=SBOM,
    subject=descriptor(ARM, OCI_MANIFEST),
    annotations={"a": "b"},
)


@pytest.fixture(name="images")
def _images(app: Flask) -> t.Iterator[Images]:
    """The Python API, within an application context."""
    with app.app_context():
        yield registry.images


@pytest.fixture(name="stocked")
def _stocked(app: Flask, alice: RegistryClient) -> RegistryClient:
    """A repository with an image, an index of two, and an SBOM of one of them."""
    for blob in (CONFIG, LAYER, OTHER):
        alice.push_blob("alice/app", blob)
    alice.push_manifest("alice/app", IMAGE, "1.0")
    alice.push_manifest("alice/app", ARM)
    alice.push_manifest("alice/app", INDEX, "latest")
    alice.push_manifest("alice/app", SIGNATURE)
    return alice


def pulled(client: RegistryClient, name: str, reference: str) -> bytes:
    """Pull a manifest and all its content, and verify each digest."""
    response = client.get(f"/v2/{name}/manifests/{reference}")
    assert response.status_code == 200, response.data
    fields = json.loads(response.data)
    for child in fields.get("manifests", ()):
        assert digest_of(pulled(client, name, child["digest"])) == child["digest"]
    for blob in [fields["config"], *fields["layers"]] if "config" in fields else ():
        content = client.get(f"/v2/{name}/blobs/{blob['digest']}")
        assert digest_of(content.data) == blob["digest"]
    return t.cast(bytes, response.data)


@pytest.mark.parametrize("form", ["folder", "tar"])
def test_export_and_import_of_a_repository_keep_all_bytes(
    stocked: RegistryClient, images: Images, tmp_path: Path, form: t.Any
) -> None:
    """This includes the referrers."""
    target = tmp_path / "out"
    out = images.export_to(target, "alice/app", format=form, referrers=True)
    assert [tag for tag, _ in out.images] == ["1.0", "latest"]
    back = images.import_from(target, "alice/copy")
    assert (back.manifests, back.blobs) == (4, 3)
    assert stocked.tags("alice/copy") == ["1.0", "latest"]
    assert pulled(stocked, "alice/copy", "1.0") == IMAGE
    assert pulled(stocked, "alice/copy", "latest") == INDEX
    (referrer,) = stocked.get(f"/v2/alice/copy/referrers/{digest_of(ARM)}").get_json()[
        "manifests"
    ]
    assert pulled(stocked, "alice/copy", referrer["digest"]) == SIGNATURE
    assert referrer["artifactType"] == SBOM


@pytest.mark.parametrize("form", FORMS)
def test_export_and_import_of_an_image_keep_all_bytes(
    stocked: RegistryClient, images: Images, form: t.Any, tmp_path: Path
) -> None:
    """This holds for each format."""
    layer = b"as it lies in an image"
    config = archives.config_of(layer)
    manifest = image(
        descriptor(layer, "application/vnd.oci.image.layer.v1.tar"), config=config
    )
    for blob in (layer, config):
        stocked.push_blob("alice/app", blob)
    stocked.push_manifest("alice/app", manifest, "2.0")
    images.export_to(tmp_path / "out", "alice/app", "2.0", format=form)
    images.import_from(tmp_path / "out", "alice/copy")
    found = pulled(stocked, "alice/copy", "2.0")
    assert found == manifest


@pytest.mark.parametrize("form", ["folder", "tar", "docker"])
def test_export_of_the_same_images_is_reproducible(
    stocked: RegistryClient, images: Images, form: t.Any, tmp_path: Path
) -> None:
    """Archives can be compared."""
    for name in ("one", "two"):
        images.export_to(tmp_path / name, "alice/app", "1.0", format=form)
    assert unpack(tmp_path / "one") == unpack(tmp_path / "two")
    if form != "folder":
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_export_of_one_platform_is_an_image(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """The format for Docker needs it."""
    with pytest.raises(TransferError, match="--platform"):
        images.export_to(tmp_path / "out", "alice/app", "latest", format="docker")
    assert not (tmp_path / "out").exists()
    stocked.push_blob("alice/empty", LAYER)
    images.export_to(
        tmp_path / "out",
        "alice/app",
        "latest",
        format="docker",
        platforms=["linux/arm64"],
    )
    images.import_from(tmp_path / "out", "alice/copy")
    assert pulled(stocked, "alice/copy", "latest") == ARM
    with pytest.raises(TransferError, match="no tags"):
        images.export_to(tmp_path / "out", "alice/empty")
    with pytest.raises(TransferError, match="linux/amd64, linux/arm64"):
        images.export_to(
            tmp_path / "out", "alice/app", "latest", platforms=["windows/amd64"]
        )


def test_export_of_two_platforms_is_an_index(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """The new index has both."""
    third = {**json.loads(INDEX)["manifests"][0], "platform": {"os": "other"}}
    whole = index(*json.loads(INDEX)["manifests"], third)
    stocked.push_manifest("alice/app", whole, "all")
    both = ["linux/arm64", "linux/amd64"]
    images.export_to(tmp_path / "out", "alice/app", "all", platforms=both)
    images.import_from(tmp_path / "out", "alice/copy")
    found = json.loads(pulled(stocked, "alice/copy", "all"))
    assert found["manifests"] == json.loads(INDEX)["manifests"]


def test_export_to_a_pipe_writes_to_it(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """A special file is not replaced."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    images.export_to(pipe, "alice/app", "1.0", format="tar")
    reader.join()
    assert pipe.is_fifo()
    images.import_from(io.BytesIO(read[0]), "alice/copy")
    assert pulled(stocked, "alice/copy", "1.0") == IMAGE


def test_export_to_a_full_disk_fails(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """No incomplete archive gets the name."""
    # Replacing a link does not harm the machine.
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(TransferError, match="full cannot be written: No space"):
        images.export_to(tmp_path / "full", "alice/app", format="tar")
    assert (tmp_path / "full").is_char_device()
    with (
        open("/dev/full", "wb", buffering=0) as file,
        pytest.raises(TransferError, match="The output cannot be written: No space"),
    ):
        images.export_to(file, "alice/app", format="tar")


@contextlib.contextmanager
def largest_file(size: int) -> t.Iterator[None]:
    """Let the system refuse to write a file beyond a size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("how", ["gzip", "pipe", "gzip in a pipe"])
def test_import_with_full_temporary_folder_says_so(
    images: Images, tmp_path: Path, how: str
) -> None:
    """A full temporary folder is not reported as a damaged archive."""
    layer = random.Random(0).randbytes(MIB) * 20
    content = tar(layout([listed(image(layer))], image(layer), CONFIG, layer)).read()
    if "gzip" in how:
        content = gzip.compress(content, 1)
    source: t.BinaryIO = io.BytesIO(content)
    if "pipe" in how:
        source = t.cast(t.BinaryIO, io.BufferedReader(OneWay(content)))
    with (
        largest_file(10 * MIB),
        pytest.raises(TransferError, match=r"temporary .*: File too large"),
    ):
        images.import_from(source, "alice/app")
    assert images.import_from(io.BytesIO(content), "alice/app").blobs == 2


class OneWay(io.RawIOBase):
    """A stream that cannot be sought."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: t.Any) -> int:
        """Read the next bytes."""
        return self._file.readinto(buffer)


def test_import_without_temporary_folder_says_so(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing temporary folder is named."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    content = gzip.compress(tar(layout([], CONFIG)).read())
    with pytest.raises(TransferError, match=r"missing: No such file.*TMPDIR"):
        images.import_from(io.BytesIO(content), "alice/app")


def test_export_to_folder_with_full_disk_says_so(
    images: Images, alice: RegistryClient, tmp_path: Path
) -> None:
    """The file that cannot be written is named."""
    alice.push_image("alice/app", "1.0", layer=bytes(MIB))
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked/blobs").write_text("a file instead of a folder")
    with pytest.raises(TransferError, match="cannot be created: "):
        images.export_to(tmp_path / "blocked", "alice/app", format="folder")
    with (
        largest_file(MIB // 2),
        pytest.raises(TransferError, match="cannot be written: File too large"),
    ):
        images.export_to(tmp_path / "out", "alice/app", format="folder")


def test_interrupted_import_is_resumed(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """Existing content is not transferred again."""
    folder = tmp_path / "out"
    images.export_to(folder, "alice/app", format="folder")
    before = {path: path.stat().st_ino for path in folder.glob("blobs/*/*")}
    again = images.export_to(folder, "alice/app", format="folder")
    assert again.blobs == 0
    assert {path: path.stat().st_ino for path in folder.glob("blobs/*/*")} == before
    stocked.push_blob("alice/copy", LAYER)
    first = images.import_from(folder, "alice/copy")
    assert (first.blobs, first.manifests) == (2, 3)
    second = images.import_from(folder, "alice/copy")
    assert (second.blobs, second.manifests, second.bytes) == (0, 0, 0)
    assert [tag for tag, _ in second.images] == ["1.0", "latest"]


class Reluctant(io.BytesIO):
    """A file that takes a few bytes at a time, as an unbuffered one may."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def write(self, piece: t.Any, /) -> int:
        return super().write(piece[: self._most])


def test_export_to_an_unbuffered_file_is_complete(
    stocked: RegistryClient, images: Images
) -> None:
    """A file that accepts no bytes is an error."""
    slow, file = Reluctant(1000), io.BytesIO()
    for target in (slow, file):
        images.export_to(target, "alice/app", "1.0")
    assert slow.getvalue() == file.getvalue()
    with pytest.raises(TransferError, match="accepts no more"):
        images.export_to(Reluctant(0), "alice/app", "1.0")


def test_import_restores_a_lost_layer(
    stocked: RegistryClient, images: Images, app: Flask, tmp_path: Path
) -> None:
    """The recorded image has lost its layer; a push restores it in the same way."""
    images.export_to(tmp_path / "out", "alice/app", "1.0")
    Upkeep(app).blob(digest_of(LAYER)).unlink()
    moved = images.import_from(tmp_path / "out", "alice/app", tag="2.0")
    assert (moved.blobs, moved.manifests) == (1, 1)
    assert pulled(stocked, "alice/app", "1.0") == IMAGE


def test_export_to_a_folder_keeps_its_images(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """Images can be added, and tags moved."""
    images.export_to(tmp_path, "alice/app", "1.0", format="folder")
    images.export_to(tmp_path, "alice/app", "latest", format="folder")
    stocked.push_manifest("alice/app", ARM, "1.0")
    images.export_to(tmp_path, "alice/app", "1.0", format="folder")
    images.import_from(tmp_path, "alice/copy")
    assert pulled(stocked, "alice/copy", "1.0") == ARM
    assert pulled(stocked, "alice/copy", "latest") == INDEX


def test_docker_export_lists_images_only(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """The archive has the referrers, but Docker's list does not. Content that is no
    image is refused."""
    chart = image(OTHER, config=descriptor(CONFIG, "application/vnd.of.a.chart+json"))
    signature = image(OTHER, config=descriptor(CONFIG, "application/x.sig+json"))
    tag = f"{digest_of(ARM).replace(':', '-')}.sig"
    stocked.push_manifest("alice/app", signature, tag)
    stocked.push_manifest("alice/app", ARM, "arm")
    stocked.push_manifest("alice/app", chart, "chart")
    target = tmp_path / "out"
    images.export_to(target, "alice/app", "arm", format="docker", referrers=True)
    (listing,) = json.loads(unpack(target)["manifest.json"])
    assert listing["RepoTags"] == ["alice/app:arm"]
    with pytest.raises(TransferError, match="no image"):
        images.export_to(target, "alice/app", "chart", format="docker")


def test_export_with_referrers_includes_signature_tags(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """Clients attach content to images by tags, too."""
    tag = f"{digest_of(IMAGE).replace(':', '-')}.sig"
    stocked.push_manifest("alice/app", image(OTHER), tag)
    images.export_to(tmp_path / "with", "alice/app", "1.0", referrers=True)
    images.import_from(tmp_path / "with", "alice/copy", reference="1.0", referrers=True)
    assert stocked.tags("alice/copy") == ["1.0", tag]
    images.export_to(tmp_path / "without", "alice/app", "1.0")
    images.import_from(tmp_path / "without", "alice/other")
    assert stocked.tags("alice/other") == ["1.0"]


def test_import_adds_new_signatures_of_an_existing_image(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """The image itself is skipped."""
    images.export_to(tmp_path / "old", "alice/app", "latest", format="folder")
    images.import_from(tmp_path / "old", "alice/copy")
    images.export_to(tmp_path / "old", "alice/app", format="folder", referrers=True)
    images.import_from(
        tmp_path / "old", "alice/copy", reference="latest", referrers=True
    )
    path = f"/v2/alice/copy/manifests/{digest_of(SIGNATURE)}"
    assert stocked.get(path).data == SIGNATURE


# Archives of other programs


def test_import_accepts_names_with_and_without_repository(
    alice: RegistryClient, images: Images
) -> None:
    """An unnamed image is found by its digest."""
    members = layout(
        [
            listed(IMAGE, "1.0"),
            listed(ARM, "docker.io/library/app:2.0"),
            listed(INDEX),
        ],
        *(IMAGE, ARM, INDEX, CONFIG, LAYER, OTHER),
    )
    images.import_from(tar(members), "alice/app")
    assert alice.tags("alice/app") == ["1.0", "2.0"]
    assert pulled(alice, "alice/app", digest_of(INDEX)) == INDEX
    images.import_from(tar(members), "alice/one", tag="mine", reference="1.0")
    assert alice.tags("alice/one") == ["mine"]
    with pytest.raises(TransferError, match=r"3 images.*--name"):
        images.import_from(tar(members), "alice/two", tag="mine")
    with pytest.raises(TransferError, match=r"It has 1\.0, docker\.io"):
        images.import_from(tar(members), "alice/two", reference="3.0")
    assert alice.get("/v2/alice/two/tags/list").status_code == 404


def test_import_with_a_duplicate_tag_is_rejected(
    alice: RegistryClient, images: Images
) -> None:
    """The archive is ambiguous."""
    entries = [listed(IMAGE, "a/one:1.0"), listed(ARM, "a/two:1.0")]
    members = layout(entries, IMAGE, ARM, CONFIG, LAYER, OTHER)
    with pytest.raises(TransferError, match="same tag"):
        images.import_from(tar(members), "alice/app")


@pytest.mark.parametrize("compressed", [False, True])
def test_import_of_an_old_docker_archive_follows_links(
    alice: RegistryClient, images: Images, compressed: bool
) -> None:
    """A repeated layer is a link in the archive. The whole archive may be
    compressed."""
    config = archives.config_of(LAYER, OTHER, LAYER)
    members = saved(config, {"a": LAYER, "b": OTHER}, "app:1.0", "host:1/app:2.0")
    (entry,) = json.loads(members["manifest.json"])
    entry["Layers"].append("c/layer.tar")
    members["manifest.json"] = json.dumps([entry]).encode()
    file = tar(members, archives.link("c/layer.tar", "../a/layer.tar"))
    images.import_from(archives.zipped(file) if compressed else file, "alice/app")
    assert alice.tags("alice/app") == ["1.0", "2.0"]
    fields = json.loads(pulled(alice, "alice/app", "1.0"))
    layers = [layer["digest"] for layer in fields["layers"]]
    assert layers == list(map(digest_of, (LAYER, OTHER, LAYER)))


class Pipe(io.RawIOBase):
    """A pipe, whose content can be read once."""

    def __init__(self, content: bytes) -> None:
        self._rest = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._rest.read(min(size, 1000))


def test_import_from_a_pipe_reads_it_once(
    alice: RegistryClient, images: Images
) -> None:
    """The content cannot be read again."""
    members = layout([listed(IMAGE, "1.0")], IMAGE, CONFIG, LAYER)
    content = archives.zipped(tar(members)).getvalue()
    images.import_from(t.cast(t.BinaryIO, Pipe(content)), "alice/app")
    assert pulled(alice, "alice/app", "1.0") == IMAGE


def test_import_of_one_platform_of_an_incomplete_index_succeeds(
    alice: RegistryClient, images: Images
) -> None:
    """Docker saves an index with the platforms that it has."""
    members = layout([listed(INDEX, "1.0")], INDEX, IMAGE, CONFIG, LAYER)
    with pytest.raises(TransferError, match="'--platform linux/amd64'"):
        images.import_from(tar(members), "alice/app")
    images.import_from(tar(members), "alice/app", platforms=["linux/amd64"])
    assert pulled(alice, "alice/app", "1.0") == IMAGE


# Content that a push would not store


GOOD = layout([listed(IMAGE, "1")], IMAGE, CONFIG, LAYER)
GOOD_CONFIG = archives.config_of(LAYER)
REFUSED: dict[str, tuple[archives.Members, type[Exception], str]] = {
    "does not match its digest": (
        {
            **layout([listed(IMAGE, "1")], IMAGE, CONFIG),
            archives.blob_path(LAYER): OTHER[:7],
        },
        DigestInvalid,
        "another digest",
    ),
    "more bytes": (
        {
            **layout([listed(IMAGE, "1")], IMAGE, CONFIG),
            archives.blob_path(LAYER): OTHER,
        },
        RegistryError,
        "has more than the 7 bytes",
    ),
    "fewer bytes": (
        {
            **layout([listed(IMAGE, "1")], IMAGE, CONFIG),
            archives.blob_path(LAYER): b"a",
        },
        RegistryError,
        "has 1 bytes",
    ),
    "a layer that is not there": (
        layout([listed(IMAGE, "1")], IMAGE, CONFIG),
        TransferError,
        "There is no blobs/sha256/",
    ),
    "another manifest": (
        {**GOOD, archives.blob_path(IMAGE): ARM},
        TransferError,
        "does not match its digest",
    ),
    "no manifest": (
        layout([descriptor(b"{}", OCI_MANIFEST)], b"{}"),
        RegistryError,
        "schemaVersion",
    ),
    "another version": (
        {**layout([]), "oci-layout": b'{"imageLayoutVersion": "2.0.0"}'},
        TransferError,
        "version 2.0.0",
    ),
    "no list": ({"oci-layout": archives.MARK}, TransferError, "no index.json"),
    "nothing that is known": ({"a": b"b"}, TransferError, "neither"),
    "a layer that its config does not know": (
        saved(archives.config_of(OTHER), {"a": LAYER}, "app:1"),
        DigestInvalid,
        "the config expects",
    ),
    "more layers than its config knows": (
        saved(archives.config_of(), {"a": LAYER}, "app:1"),
        TransferError,
        "0 layers",
    ),
    "another config": (
        {
            **saved(archives.config_of(LAYER), {"a": LAYER}, "app:1"),
            digest_of(archives.config_of(LAYER))[7:] + ".json": archives.config_of(
                OTHER
            ),
        },
        DigestInvalid,
        "has the digest",
    ),
    "a list of something else": (
        {"manifest.json": b'[{"Config": 1}]'},
        TransferError,
        "docker save",
    ),
}


@pytest.mark.sqlite_only
@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("packed", [True, False])
def test_import_of_an_invalid_archive_fails(
    images: Images, alice: RegistryClient, tmp_path: Path, case: str, packed: bool
) -> None:
    """The error names the problem, and no image appears."""
    members, error, message = REFUSED[case]
    source = tar(members) if packed else archives.fill(tmp_path / "in", members)
    with pytest.raises(error, match=message):
        images.import_from(source, "alice/app")
    answer = alice.get("/v2/alice/app/tags/list")
    assert answer.status_code == 404 or answer.get_json()["tags"] == []


@pytest.mark.options(oci_max_blob_size=6, oci_max_manifest_size=200)
def test_import_applies_the_size_limits(images: Images) -> None:
    """The limits of pushes apply."""
    members = layout([listed(IMAGE, "1.0")], IMAGE, CONFIG, LAYER)
    with pytest.raises(TransferError, match="the limit is 200"):
        images.import_from(tar(members), "alice/app")
    with pytest.raises(RegistryError) as caught:
        images.put_blob("alice/app", LAYER)
    assert caught.value.status == 413


def test_import_and_copy_apply_quotas(images: Images, alice: RegistryClient) -> None:
    """The limits of pushes apply."""
    registry.quotas.set(owner=user_named("alice"), bytes=10)
    members = layout([listed(IMAGE, "1.0")], IMAGE, CONFIG, LAYER)
    with pytest.raises(Denied, match="of 10 B"):
        images.import_from(tar(members), "alice/app")
    alice_has = alice.get(f"/v2/alice/app/manifests/{digest_of(IMAGE)}").status_code
    assert alice_has == 404
    images.import_from(tar(members), "bob/app", by=user_named("bob"))
    with pytest.raises(Denied, match="of 10 B"):
        images.copy("bob/app:1.0", "alice/app")


def test_representation_of_an_error_names_the_reason(images: Images) -> None:
    """A host that logs the error by its representation sees the reason."""
    registry.quotas.set(owner=user_named("alice"), bytes=10)
    with pytest.raises(Denied) as refused:
        images.put_blob("alice/app", LAYER * 2)
    assert "of 10 B" in repr(refused.value)
    assert "403" in repr(refused.value)


def test_import_without_the_bytes_of_a_layer_fails(
    images: Images, alice: RegistryClient, bob: RegistryClient
) -> None:
    """Naming another user's layer in an archive does not grant access to it."""
    alice.push_blob("alice/secret", LAYER)
    members = layout([listed(IMAGE, "1.0")], IMAGE, CONFIG)
    with pytest.raises(TransferError, match="There is no blobs/"):
        images.import_from(tar(members), "bob/app", by=user_named("bob"))
    assert bob.head(f"/v2/bob/app/blobs/{digest_of(LAYER)}").status_code == 404


def test_export_of_a_damaged_blob_fails(
    stocked: RegistryClient, images: Images, app: Flask, tmp_path: Path
) -> None:
    """No archive that looks complete is left."""
    Upkeep(app).blob(digest_of(LAYER)).write_bytes(b"A LAYER")
    for form in FORMS:
        with pytest.raises(DigestInvalid):
            images.export_to(tmp_path / "out", "alice/app", "1.0", format=form)
    file = io.BytesIO()
    with pytest.raises(DigestInvalid):
        images.export_to(file, "alice/app", "1.0")
    with pytest.raises((EOFError, tarfile.TarError, KeyError)):
        unpack(io.BytesIO(file.getvalue()))["index.json"]
    left = [p for p in tmp_path.rglob("*") if p.is_file() and "oci" not in p.parts]
    assert all(LAYER not in path.read_bytes() for path in left)
    assert not [path for path in left if path.name in ("index.json", "out")]


def test_import_during_a_collection_keeps_its_content(
    images: Images, alice: RegistryClient, app: Flask
) -> None:
    """The import renews the grace period of existing content."""
    alice.push_blob("alice/app", LAYER)
    keeper = Upkeep(app)
    manifest = image(LAYER, OTHER)
    broken_off = layout([listed(manifest, "1.0")], manifest, CONFIG)
    with later(LONG):
        with pytest.raises(TransferError, match="There is no"):
            images.import_from(tar(broken_off), "alice/app")
        keeper.gc()
        assert digest_of(LAYER) in keeper.blobs()
        whole = layout([listed(manifest, "1.0")], manifest, CONFIG, OTHER)
        images.import_from(tar(whole), "alice/app")
    assert pulled(alice, "alice/app", "1.0") == manifest


# Without an archive


def test_put_blob_and_put_manifest_publish_an_image(
    images: Images, alice: RegistryClient, tmp_path: Path
) -> None:
    """A build farm writes an image, and a client pulls it."""
    (tmp_path / "layer").write_bytes(LAYER)
    with pytest.raises(ManifestBlobUnknown):
        images.put_manifest("alice/app", IMAGE, tags=["1.0"])
    with (tmp_path / "layer").open("rb") as file:
        assert images.put_blob("alice/app", file) == digest_of(LAYER)
    images.put_blob("alice/app", CONFIG, digest=digest_of(CONFIG), by=user_named("bob"))
    with pytest.raises(DigestInvalid):
        images.put_blob("alice/app", OTHER, digest=digest_of(CONFIG))
    digest = images.put_manifest(
        "alice/app", IMAGE, tags=["1.0", "latest"], by=user_named("alice")
    )
    assert digest == digest_of(IMAGE)
    assert alice.tags("alice/app") == ["1.0", "latest"]
    assert pulled(alice, "alice/app", "1.0") == IMAGE
    assert images.get_manifest("alice/app", "1.0").content == IMAGE
    with images.open_blob("alice/app", digest_of(LAYER)) as blob:
        assert blob.read() == LAYER
    with pytest.raises(RegistryError):
        images.open_blob("alice/app", digest_of(OTHER))
    with pytest.raises(RegistryError):
        images.put_manifest("alice/app", IMAGE, tags=["no tag"])


def test_import_reports_the_given_user_in_events(
    images: Images, alice: RegistryClient, app: Flask
) -> None:
    """This holds within another user's request, too; a host can refuse it like a
    push."""
    heard: list[tuple[str | None, str | None]] = []

    def hear(_: object, change: Change) -> None:
        heard.append((change.origin.actor, change.repository))

    def refuse(_: object, change: Change) -> None:
        raise Denied("Not on Fridays.")

    members = layout([listed(IMAGE, "1.0")], IMAGE, CONFIG, LAYER)
    with signals.manifest_pushed.connected_to(hear):
        images.import_from(tar(members), "alice/app", by=user_named("bob"))
        images.import_from(tar(members), "alice/nobody")
        with app.test_request_context():
            images.put_manifest(
                "alice/app", IMAGE, tags=["2.0"], by=user_named("alice")
            )
    assert heard == [
        ("bob", "alice/app"),
        (None, "alice/nobody"),
        ("alice", "alice/app"),
    ]
    with (
        signals.manifest_pushing.connected_to(refuse),
        pytest.raises(Denied, match="Fridays"),
    ):
        images.import_from(tar(members), "alice/other")
    assert alice.get("/v2/alice/other/tags/list").get_json()["tags"] == []


def test_code_of_the_documentation_publishes_an_image(
    images: Images, alice: RegistryClient, tmp_path: Path
) -> None:
    """Readers can copy it."""
    names: dict[str, t.Any] = {"registry": registry}
    for block in BLOCKS:
        if block.page == "docs/images.rst":
            exec(compile(block.code, block.page, "exec"), names)
    (tmp_path / "layer").write_bytes(LAYER)
    user = user_named("alice")
    names["publish"]("alice/app", "1.0", tmp_path / "layer", CONFIG, user)
    names["download"]("alice/app", "1.0", tmp_path / "out.tar")
    names["publish_archive"](tmp_path / "out.tar", "alice/copy", user)
    assert pulled(alice, "alice/copy", "1.0") == pulled(alice, "alice/app", "1.0")


# At the command line

#: An entry with terminal escape sequences.
BAD = b'[{"Config": "\\u001b[2J\\u001b", "Layers": []}]'


def test_export_and_import_commands_keep_an_image(tmp_path: Path) -> None:
    """Export writes to a pipe, and import reads a file."""
    terminal = Terminal(tmp_path)
    alice = terminal.alice
    alice.push_image("alice/app", "1.0")
    packed = terminal.run("export", "alice/app:1.0", "-").stdout
    (tmp_path / "in.tar").write_bytes(packed)
    done = terminal.json("import", str(tmp_path / "in.tar"), "alice/new:2.0")
    assert done["images"] == [
        {"repository": "alice/new", "tag": "2.0", "digest": digest_of(IMAGE)}
    ]
    assert (done["blobs"], done["bytes"]) == (2, len(CONFIG) + len(LAYER))
    assert pulled(alice, "alice/new", "2.0") == IMAGE
    printed = terminal.say("import", str(tmp_path / "in.tar"), "alice/copy")
    assert printed == f"alice/copy:1.0@{digest_of(IMAGE)}\n"
    terminal.say("export", "alice/app", str(tmp_path / "out"))
    assert (tmp_path / "out" / "oci-layout").read_bytes() == archives.MARK
    terminal.say("export", "alice/app", "-", "--json", status=2)
    terminal.say("import", str(tmp_path / "none.tar"), "alice/new", status=1)
    terminal.say("export", "alice/none", str(tmp_path / "no"), status=1)
    # The author of an archive must not control the terminal.
    (tmp_path / "bad.tar").write_bytes(
        tar({"\x1b[2J": b"", "manifest.json": BAD}).read()
    )
    refused = terminal.run("import", str(tmp_path / "bad.tar"), "alice/new", status=1)
    assert b"\x1b" not in refused.stderr
    assert b"There is no ?[2J" in refused.stderr
    terminal.close()


@pytest.mark.parametrize("form", FORMS)
def test_import_writes_tags_in_the_order_of_their_images(
    app: Flask, images: Images, alice: RegistryClient, tmp_path: Path, form: t.Any
) -> None:
    """Retention rules compare when tags were pushed, and an archive lists tags in the
    order of their names."""
    tags = ["1.8", "1.9", "1.10", "1.11"]
    for number, tag in enumerate(tags):
        config = {"architecture": "amd64", "os": "linux", "number": number}
        if tag != "1.8":
            config["created"] = f"2026-01-0{number}T00:00:00Z"
        alice.push_image("alice/app", tag, tag.encode(), config=encoded(config))
    images.export_to(tmp_path / "archive", "alice/app", format=form)
    pushed: list[str] = []

    def note(sender: object, change: Change, **_: object) -> None:
        pushed.extend(change.tags)

    with signals.manifest_pushed.connected_to(note, app):
        images.import_from(tmp_path / "archive", "alice/new")
    assert pushed == tags
