"""Moving images to another forge by archives."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from flask import Flask

from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import DOCKER_MANIFEST
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import OCI_EMPTY
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.transfer.archive_formats import FORMS
from tests.support import archives
from tests.support.host import create_app
from tests.support.host import registry
from tests.support.registry_client import RegistryClient

NAME = "alice/app"

#: An uncompressed layer.
LAYER, OTHER = b"a layer of an image", b"another layer"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
MADE = archives.config_of(LAYER, OTHER)

IMAGE = image(*(descriptor(layer, LAYER_TYPE) for layer in (LAYER, OTHER)), config=MADE)
OLD = image(OTHER, docker=True)
BESIDE = image(OTHER)
INDEX = index(
    descriptor(IMAGE, OCI_MANIFEST, platform={"os": "linux", "architecture": "amd64"}),
    descriptor(BESIDE, OCI_MANIFEST, platform={"os": "linux", "architecture": "arm64"}),
)
LIST = index(descriptor(OLD, DOCKER_MANIFEST), docker=True)
NESTED = index(
    descriptor(INDEX, "application/vnd.oci.image.index.v1+json"), annotations={"a": "b"}
)
ARTIFACT = image(
    descriptor(b"a chart", "application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
    config=descriptor(b'{"name": "app"}', "application/vnd.cncf.helm.config.v1+json"),
)
EMPTY = descriptor(b"{}", OCI_EMPTY)


def about(subject: bytes, kind: str) -> bytes:
    """Return a manifest with a subject."""
    return image(
        config=EMPTY, artifactType=kind, subject=descriptor(subject, OCI_MANIFEST)
    )


SIGNATURE = about(ARTIFACT, "application/x.signature")
#: A signature may have a signature, too.
COUNTERSIGNATURE = about(SIGNATURE, "application/x.signature")
SBOM = about(BESIDE, "application/spdx+json")
COSIGN = image(OTHER, config=EMPTY)
COSIGN_TAG = f"{digest_of(IMAGE).replace(':', '-')}.sig"

#: The manifests to push; the tag's own manifest is the last.
STORIES: dict[str, tuple[bytes, ...]] = {
    "an image": (IMAGE,),
    "an image of Docker's": (OLD,),
    "an index": (IMAGE, BESIDE, INDEX),
    "a list of Docker's": (OLD, LIST),
    "an index of an index": (IMAGE, BESIDE, INDEX, NESTED),
    "an artifact with referrers": (SIGNATURE, COUNTERSIGNATURE, ARTIFACT),
    "an index with referrers": (IMAGE, BESIDE, SBOM, INDEX),
}

BLOBS = (LAYER, OTHER, MADE, CONFIG, b"{}", b"a chart", b'{"name": "app"}')


@pytest.fixture(name="elsewhere")
def _elsewhere(tmp_path: Path) -> Flask:
    """A forge with another, empty database and storage."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    url = f"sqlite:///{folder}/forge.sqlite"
    app = create_app(folder, SQLALCHEMY_DATABASE_URI=url)
    client = RegistryClient.of(app, "alice").bearer("registry:catalog:*")
    assert client.get("/v2/_catalog").get_json() == {"repositories": []}
    assert not [*folder.glob("oci/blobs/*/*/*")]
    return app


def everything(app: Flask, reference: str) -> dict[str, bytes]:
    """Pull the content of a tag and all referrers, by digest."""
    client = RegistryClient.of(app, "alice").bearer(f"repository:{NAME}:pull")
    found: dict[str, bytes] = {}

    def pull(kind: str, reference: str) -> bytes:
        response = client.get(f"/v2/{NAME}/{kind}/{reference}")
        assert response.status_code == 200, response.data
        found[response.headers["Docker-Content-Digest"]] = response.data
        return t.cast(bytes, response.data)

    def follow(reference: str) -> None:
        content = pull("manifests", reference)
        fields = json.loads(content)
        for child in fields.get("manifests", ()):
            follow(child["digest"])
        for blob in [fields["config"], *fields["layers"]] if "config" in fields else ():
            pull("blobs", blob["digest"])
        referrers = client.get(f"/v2/{NAME}/referrers/{digest_of(content)}")
        for referrer in referrers.get_json()["manifests"]:
            follow(referrer["digest"])

    follow(reference)
    return found


def stock(app: Flask, *manifests: bytes) -> None:
    """Push manifests to a forge."""
    alice = RegistryClient.of(app, "alice").bearer(f"repository:{NAME}:pull,push")
    for blob in BLOBS:
        alice.push_blob(NAME, blob)
    for manifest in manifests:
        alice.push_manifest(NAME, manifest)
    alice.push_manifest(NAME, manifests[-1], "1.0")


@pytest.mark.parametrize(
    ("story", "form"),
    [*((story, "tar") for story in STORIES), ("an index with referrers", "folder")],
)
def test_archive_moves_an_image_byte_for_byte(
    app: Flask, elsewhere: Flask, tmp_path: Path, story: str, form: t.Any
) -> None:
    """An image, an index or an artifact with its referrers arrives in the other forge,
    and nothing else does."""
    stock(app, *STORIES[story])
    before = everything(app, "1.0")
    assert {digest_of(content) for content in STORIES[story]} <= {*before}
    with app.app_context():
        registry.images.export_to(
            tmp_path / "out", NAME, "1.0", format=form, referrers=True
        )
    with elsewhere.app_context():
        registry.images.import_from(tmp_path / "out", NAME)
    assert everything(elsewhere, "1.0") == before
    assert all(digest_of(content) == digest for digest, content in before.items())
    stored = {path.name for path in tmp_path.glob("elsewhere/oci/blobs/*/*/*")}
    blobs = {digest_of(content).partition(":")[2] for content in BLOBS}
    assert stored == {digest.partition(":")[2] for digest in before} & blobs


def test_docker_archive_moves_an_image_byte_for_byte(
    app: Flask, elsewhere: Flask, tmp_path: Path
) -> None:
    """The archive for 'docker load' has the manifest, too."""
    stock(app, IMAGE)
    with app.app_context():
        registry.images.export_to(tmp_path / "out.tar", NAME, "1.0", format="docker")
    with elsewhere.app_context():
        registry.images.import_from(tmp_path / "out.tar", NAME)
    before, after = everything(app, "1.0"), everything(elsewhere, "1.0")
    assert after == before
    assert len(after) == 4


@pytest.mark.parametrize("form", ["folder", "tar"])
def test_archive_moves_a_repository_with_signature_tags(
    app: Flask, elsewhere: Flask, tmp_path: Path, form: t.Any
) -> None:
    """All tags move at once."""
    stock(app, *STORIES["an index with referrers"])
    alice = RegistryClient.of(app, "alice")
    for tag, manifest in {COSIGN_TAG: COSIGN, "2.0": ARTIFACT, "3.0": OLD}.items():
        alice.push_manifest(NAME, manifest, tag)
    with app.app_context():
        registry.images.export_to(tmp_path / "out", NAME, format=form, referrers=True)
    with elsewhere.app_context():
        registry.images.import_from(tmp_path / "out", NAME)
    assert RegistryClient.of(elsewhere, "alice").tags(NAME) == alice.tags(NAME)
    for tag in alice.tags(NAME):
        assert everything(elsewhere, tag) == everything(app, tag)


def test_all_archive_formats_are_tested() -> None:
    """A new format needs a test here."""
    assert {*FORMS} == {"folder", "tar", "docker"}
