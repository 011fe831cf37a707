"""Images in archives: in, out, and the same as before."""

from __future__ import annotations

import io
import json
import os
import tarfile
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
    """The host's own code, within an application context."""
    with app.app_context():
        yield registry.images


@pytest.fixture(name="stocked")
def _stocked(app: Flask, alice: RegistryClient) -> RegistryClient:
    """A repository with an image, an index of two, and an SBOM of one of these."""
    for blob in (CONFIG, LAYER, OTHER):
        alice.push_blob("alice/app", blob)
    alice.push_manifest("alice/app", IMAGE, "1.0")
    alice.push_manifest("alice/app", ARM)
    alice.push_manifest("alice/app", INDEX, "latest")
    alice.push_manifest("alice/app", SIGNATURE)
    return alice


def pulled(client: RegistryClient, name: str, reference: str) -> bytes:
    """Pull a manifest and everything that it needs, and check each digest."""
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
def test_there_and_back(
    stocked: RegistryClient, images: Images, tmp_path: Path, form: t.Any
) -> None:
    """All tags of a repository come back byte for byte, with what refers to them."""
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
def test_one_image_there_and_back(
    stocked: RegistryClient, images: Images, form: t.Any, tmp_path: Path
) -> None:
    """An image alone comes back whole in every form, and a form that has its manifest
    brings back that."""
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
def test_the_same_images_make_the_same_bytes(
    stocked: RegistryClient, images: Images, form: t.Any, tmp_path: Path
) -> None:
    """An archive can be compared with one that was made at another time."""
    for name in ("one", "two"):
        images.export_to(tmp_path / name, "alice/app", "1.0", format=form)
    assert unpack(tmp_path / "one") == unpack(tmp_path / "two")
    if form != "folder":
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_platform(stocked: RegistryClient, images: Images, tmp_path: Path) -> None:
    """One platform of an index is an image, which fits what knows no indexes."""
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


def test_two_platforms(stocked: RegistryClient, images: Images, tmp_path: Path) -> None:
    """Several platforms are an index of these."""
    third = {**json.loads(INDEX)["manifests"][0], "platform": {"os": "other"}}
    whole = index(*json.loads(INDEX)["manifests"], third)
    stocked.push_manifest("alice/app", whole, "all")
    both = ["linux/arm64", "linux/amd64"]
    images.export_to(tmp_path / "out", "alice/app", "all", platforms=both)
    images.import_from(tmp_path / "out", "alice/copy")
    found = json.loads(pulled(stocked, "alice/copy", "all"))
    assert found["manifests"] == json.loads(INDEX)["manifests"]


def test_what_is_no_file_is_written_to(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """A pipe, or a tape, gets the archive, and stays what it is."""
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


def test_a_target_that_is_full(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """Where an archive has no room, that is told, and nobody takes it for whole."""
    # What takes the place of a link does no harm to the machine.
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(TransferError, match="full cannot be written: No space"):
        images.export_to(tmp_path / "full", "alice/app", format="tar")
    assert (tmp_path / "full").is_char_device()
    with (
        open("/dev/full", "wb", buffering=0) as file,
        pytest.raises(TransferError, match="The output cannot be written: No space"),
    ):
        images.export_to(file, "alice/app", format="tar")


def test_nothing_is_moved_twice(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """What was broken off goes on where it was; what is whole is left as it is."""
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
    """Takes some bytes at a time, as what has no buffer may."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def write(self, piece: t.Any, /) -> int:
        return super().write(piece[: self._most])


def test_an_archive_goes_where_a_part_is_taken_at_a_time(
    stocked: RegistryClient, images: Images
) -> None:
    """It is whole, or it is told that it is not."""
    slow, file = Reluctant(1000), io.BytesIO()
    for target in (slow, file):
        images.export_to(target, "alice/app", "1.0")
    assert slow.getvalue() == file.getvalue()
    with pytest.raises(TransferError, match="accepts no more"):
        images.export_to(Reluctant(0), "alice/app", "1.0")


def test_what_was_lost_comes_again(
    stocked: RegistryClient, images: Images, app: Flask, tmp_path: Path
) -> None:
    """An image that is on record, and whose layer the disk has lost, is mended by an
    import under another tag, as it is by a push."""
    images.export_to(tmp_path / "out", "alice/app", "1.0")
    Upkeep(app).blob(digest_of(LAYER)).unlink()
    moved = images.import_from(tmp_path / "out", "alice/app", tag="2.0")
    assert (moved.blobs, moved.manifests) == (1, 1)
    assert pulled(stocked, "alice/app", "1.0") == IMAGE


def test_a_folder_keeps_what_it_has(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """Images can be added to a layout, and a tag in it can be moved."""
    images.export_to(tmp_path, "alice/app", "1.0", format="folder")
    images.export_to(tmp_path, "alice/app", "latest", format="folder")
    stocked.push_manifest("alice/app", ARM, "1.0")
    images.export_to(tmp_path, "alice/app", "1.0", format="folder")
    images.import_from(tmp_path, "alice/copy")
    assert pulled(stocked, "alice/copy", "1.0") == ARM
    assert pulled(stocked, "alice/copy", "latest") == INDEX


def test_docker_loads_images_only(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """What refers to an image is in the archive, and not in Docker's list. What is
    no image at all does not fit."""
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


def test_tags_of_signatures_come_along(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """So does what clients attach to an image by the name of a tag."""
    tag = f"{digest_of(IMAGE).replace(':', '-')}.sig"
    stocked.push_manifest("alice/app", image(OTHER), tag)
    images.export_to(tmp_path / "with", "alice/app", "1.0", referrers=True)
    images.import_from(tmp_path / "with", "alice/copy", reference="1.0", referrers=True)
    assert stocked.tags("alice/copy") == ["1.0", tag]
    images.export_to(tmp_path / "without", "alice/app", "1.0")
    images.import_from(tmp_path / "without", "alice/other")
    assert stocked.tags("alice/other") == ["1.0"]


def test_signatures_that_came_later(
    stocked: RegistryClient, images: Images, tmp_path: Path
) -> None:
    """An image that is there already gets the signature that is new."""
    images.export_to(tmp_path / "old", "alice/app", "latest", format="folder")
    images.import_from(tmp_path / "old", "alice/copy")
    images.export_to(tmp_path / "old", "alice/app", format="folder", referrers=True)
    images.import_from(
        tmp_path / "old", "alice/copy", reference="latest", referrers=True
    )
    path = f"/v2/alice/copy/manifests/{digest_of(SIGNATURE)}"
    assert stocked.get(path).data == SIGNATURE


# Archives that others wrote


def test_names(alice: RegistryClient, images: Images) -> None:
    """A name in an archive may be a tag, or have a repository before it; what has none
    is found by its digest."""
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
    with pytest.raises(TransferError, match="3 images"):
        images.import_from(tar(members), "alice/two", tag="mine")
    with pytest.raises(TransferError, match=r"It has 1\.0, docker\.io"):
        images.import_from(tar(members), "alice/two", reference="3.0")
    assert alice.get("/v2/alice/two/tags/list").status_code == 404


def test_one_tag_for_two_images(alice: RegistryClient, images: Images) -> None:
    """Which of them is meant, nobody knows."""
    entries = [listed(IMAGE, "a/one:1.0"), listed(ARM, "a/two:1.0")]
    members = layout(entries, IMAGE, ARM, CONFIG, LAYER, OTHER)
    with pytest.raises(TransferError, match="same tag"):
        images.import_from(tar(members), "alice/app")


@pytest.mark.parametrize("compressed", [False, True])
def test_an_old_docker_archive(
    alice: RegistryClient, images: Images, compressed: bool
) -> None:
    """A layer that an archive has twice is a link there. The archive may be
    compressed as a whole."""
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
    """What comes through a pipe can be read once."""

    def __init__(self, content: bytes) -> None:
        self._rest = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._rest.read(min(size, 1000))


def test_a_pipe(alice: RegistryClient, images: Images) -> None:
    """An archive that cannot be read at any place is read once."""
    members = layout([listed(IMAGE, "1.0")], IMAGE, CONFIG, LAYER)
    content = archives.zipped(tar(members)).getvalue()
    images.import_from(t.cast(t.BinaryIO, Pipe(content)), "alice/app")
    assert pulled(alice, "alice/app", "1.0") == IMAGE


def test_an_index_that_is_not_whole(alice: RegistryClient, images: Images) -> None:
    """Docker saves an index with what it has of it; one platform of that is whole."""
    members = layout([listed(INDEX, "1.0")], INDEX, IMAGE, CONFIG, LAYER)
    with pytest.raises(TransferError, match="'--platform linux/amd64'"):
        images.import_from(tar(members), "alice/app")
    images.import_from(tar(members), "alice/app", platforms=["linux/amd64"])
    assert pulled(alice, "alice/app", "1.0") == IMAGE


# What a push would not get through does not come in from an archive, either


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


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("packed", [True, False])
def test_what_is_refused(
    images: Images, alice: RegistryClient, tmp_path: Path, case: str, packed: bool
) -> None:
    """It says what is wrong, and no image appears."""
    members, error, message = REFUSED[case]
    source = tar(members) if packed else archives.fill(tmp_path / "in", members)
    with pytest.raises(error, match=message):
        images.import_from(source, "alice/app")
    answer = alice.get("/v2/alice/app/tags/list")
    assert answer.status_code == 404 or answer.get_json()["tags"] == []


@pytest.mark.options(oci_max_blob_size=6, oci_max_manifest_size=200)
def test_limits_of_the_registry_hold(images: Images) -> None:
    """What is too large for a push is too large here."""
    members = layout([listed(IMAGE, "1.0")], IMAGE, CONFIG, LAYER)
    with pytest.raises(TransferError, match="the limit is 200"):
        images.import_from(tar(members), "alice/app")
    with pytest.raises(RegistryError) as caught:
        images.put_blob("alice/app", LAYER)
    assert caught.value.status == 413


def test_quotas_hold(images: Images, alice: RegistryClient) -> None:
    """Who may not push so much may not have it imported, or copied."""
    registry.quotas.set(owner=user_named("alice"), bytes=10)
    members = layout([listed(IMAGE, "1.0")], IMAGE, CONFIG, LAYER)
    with pytest.raises(Denied, match="of 10 B"):
        images.import_from(tar(members), "alice/app")
    alice_has = alice.get(f"/v2/alice/app/manifests/{digest_of(IMAGE)}").status_code
    assert alice_has == 404
    images.import_from(tar(members), "bob/app", by=user_named("bob"))
    with pytest.raises(Denied, match="of 10 B"):
        images.copy("bob/app:1.0", "alice/app")


def test_a_copy_of_an_import_needs_its_bytes(
    images: Images, alice: RegistryClient, bob: RegistryClient
) -> None:
    """Who names somebody else's layer in an archive does not get it."""
    alice.push_blob("alice/secret", LAYER)
    members = layout([listed(IMAGE, "1.0")], IMAGE, CONFIG)
    with pytest.raises(TransferError, match="There is no blobs/"):
        images.import_from(tar(members), "bob/app", by=user_named("bob"))
    assert bob.head(f"/v2/bob/app/blobs/{digest_of(LAYER)}").status_code == 404


def test_what_is_damaged_here_does_not_leave(
    stocked: RegistryClient, images: Images, app: Flask, tmp_path: Path
) -> None:
    """An export of other bytes than those that were pushed fails, and leaves no archive
    that looks whole."""
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


def test_a_collection_runs_meanwhile(
    images: Images, alice: RegistryClient, app: Flask
) -> None:
    """What an import has found to be there stays for it."""
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


def test_publishing_without_http(
    images: Images, alice: RegistryClient, tmp_path: Path
) -> None:
    """A build farm puts blobs and a manifest, and somebody pulls them."""
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


def test_it_is_told_who_did_it(
    images: Images, alice: RegistryClient, app: Flask
) -> None:
    """Events and the audit name whom the host names, within a request of somebody
    else's as well, and may refuse as they may refuse a push."""
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


def test_the_code_of_the_page(
    images: Images, alice: RegistryClient, tmp_path: Path
) -> None:
    """A reader who copies it can publish, and hand an image to somebody."""
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

#: A list of something that gives orders to a terminal.
BAD = b'[{"Config": "\\u001b[2J\\u001b", "Layers": []}]'


def test_commands(tmp_path: Path) -> None:
    """An archive goes out through a pipe and comes in from a file, and is the same."""
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
    # Whoever made an archive is not the one at the terminal.
    (tmp_path / "bad.tar").write_bytes(
        tar({"\x1b[2J": b"", "manifest.json": BAD}).read()
    )
    refused = terminal.run("import", str(tmp_path / "bad.tar"), "alice/new", status=1)
    assert b"\x1b" not in refused.stderr
    assert b"There is no ?[2J" in refused.stderr
    terminal.close()
