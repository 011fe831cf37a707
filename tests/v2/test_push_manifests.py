"""Pushing manifests of every kind."""

from __future__ import annotations

import base64
import typing as t

import pytest

from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import DOCKER_LIST
from flask_oci.testing.manifests import DOCKER_MANIFEST
from flask_oci.testing.manifests import encoded
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import media_type_of
from flask_oci.testing.manifests import OCI_EMPTY
from flask_oci.testing.manifests import OCI_INDEX
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.manifests import UNKNOWN
from tests.support.registry_client import RegistryClient

IMAGE = image(LAYER)
OTHER_IMAGE = image()
DOCKER_IMAGE = image(LAYER, docker=True)
INNER_INDEX = index(descriptor(IMAGE, OCI_MANIFEST))
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
ELSEWHERE = ["https://example.org/layer"]
ARM = {"os": "linux", "architecture": "arm", "variant": "v7"}


def artifact(config_type: str, layer_type: str) -> bytes:
    """Write a manifest of something that is no image."""
    return image(descriptor(LAYER, layer_type), config=descriptor(CONFIG, config_type))


EMPTY_CONFIG = {**descriptor(b"{}", OCI_EMPTY), "data": "e30="}

#: All content that these manifests reference is pushed before.
KINDS: dict[str, bytes] = {
    "OCI image": IMAGE,
    "Docker image": DOCKER_IMAGE,
    "OCI index": index(
        descriptor(IMAGE, OCI_MANIFEST, platform=ARM),
        descriptor(OTHER_IMAGE, OCI_MANIFEST),
    ),
    "Docker list": index(descriptor(DOCKER_IMAGE, DOCKER_MANIFEST), docker=True),
    "mixed index": index(
        descriptor(IMAGE, OCI_MANIFEST, platform=ARM),
        descriptor(DOCKER_IMAGE, DOCKER_MANIFEST),
    ),
    "nested index": index(
        descriptor(INNER_INDEX, OCI_INDEX), descriptor(IMAGE, OCI_MANIFEST)
    ),
    "empty index": index(),
    "no layers": OTHER_IMAGE,
    "one layer twice": image(LAYER, LAYER),
    "BuildKit cache index": index(
        descriptor(LAYER),
        descriptor(CONFIG, "application/vnd.buildkit.cacheconfig.v0"),
    ),
    "BuildKit cache manifest": artifact(
        "application/vnd.buildkit.cacheconfig.v0",
        "application/vnd.oci.image.layer.v1.tar+zstd",
    ),
    "BuildKit attestation": index(
        descriptor(
            IMAGE,
            OCI_MANIFEST,
            platform={"os": "unknown", "architecture": "unknown"},
            annotations={"vnd.docker.reference.type": "attestation-manifest"},
        )
    ),
    "Helm chart": artifact(
        "application/vnd.cncf.helm.config.v1+json",
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
    ),
    "WebAssembly": artifact("application/vnd.wasm.config.v0+json", "application/wasm"),
    "artifact with the empty config": image(
        EMPTY_CONFIG, config=EMPTY_CONFIG, artifactType="application/vnd.example+type"
    ),
    "index of a type": index(artifactType="application/vnd.example.index"),
    "foreign layers": image(
        descriptor(b"not pushed 1", FOREIGN, urls=ELSEWHERE),
        descriptor(b"not pushed 2", NONDISTRIBUTABLE, urls=ELSEWHERE),
    ),
    "data in a descriptor": image(
        descriptor(LAYER, data=base64.b64encode(LAYER).decode())
    ),
    "unknown fields": image(LAYER, future={"deep": [1, 2.5, None, "\u00e4\u2028"]}),
    "unusual white space": b"\n\t" + IMAGE + b"\r\n ",
    "config of other diff_ids": image(LAYER, config=b'{"rootfs":{"diff_ids":["x"]}}'),
    "null for absence": image(LAYER, annotations=None, subject=None),
    "annotations": image(LAYER, annotations={"": "", "a": "\u00e4", "b\n": "\x00"}),
    "unknown subject": image(
        LAYER, subject={**descriptor(b"nowhere", OCI_MANIFEST), "digest": UNKNOWN}
    ),
    "sha512 layer": image({**descriptor(LAYER), "digest": digest_of(LAYER, "sha512")}),
    "almost 4 MiB": image(
        LAYER, annotations={f"key {i}": "x" * 10_000 for i in range(390)}
    ),
}


@pytest.fixture(name="ready")
def _ready(alice: RegistryClient) -> RegistryClient:
    """A user who has pushed all content that the manifests reference."""
    for blob in (CONFIG, LAYER, b"{}", b'{"rootfs":{"diff_ids":["x"]}}'):
        alice.push_blob("alice/app", blob)
    alice.push_blob("alice/app", LAYER, "sha512")
    for manifest in (IMAGE, OTHER_IMAGE, DOCKER_IMAGE, INNER_INDEX):
        alice.push_manifest("alice/app", manifest)
    return alice


@pytest.mark.parametrize("manifest", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("by", ["tag", "digest", "sha512"])
def test_manifest_of_any_kind_is_served_as_pushed(
    ready: RegistryClient, by: str, manifest: bytes
) -> None:
    """A manifest of any kind is accepted and served byte for byte."""
    digest = digest_of(manifest, "sha512" if by == "sha512" else "sha256")
    reference = "v1" if by == "tag" else digest

    response = ready.put_manifest("alice/app", reference, manifest)

    assert response.status_code == 201
    assert response.headers["Location"] == f"/v2/alice/app/manifests/{reference}"
    assert response.headers["Docker-Content-Digest"] == digest
    assert response.headers["Content-Length"] == "0"
    assert "Warning" not in response.headers
    assert "OCI-Tag" not in response.headers
    pulled = ready.get(response.headers["Location"])
    assert pulled.data == manifest
    assert pulled.headers["Content-Type"] == media_type_of(manifest)
    assert ready.get(f"/v2/alice/app/manifests/{digest}").data == manifest


def test_push_existing_manifest_succeeds(ready: RegistryClient) -> None:
    """Pushing the same manifest again succeeds, by tag and by digest."""
    manifest = KINDS["OCI index"]
    for reference in ("v1", digest_of(manifest)) * 2:
        response = ready.put_manifest("alice/app", reference, manifest)
        assert response.status_code == 201
    assert ready.tags("alice/app") == ["v1"]


def test_push_by_digest_sets_no_tag(ready: RegistryClient) -> None:
    """A manifest that was pushed by its digest has no tag."""
    assert ready.head(f"/v2/alice/app/manifests/{digest_of(IMAGE)}").status_code == 200
    assert ready.tags("alice/app") == []


@pytest.mark.parametrize(
    "content_type",
    [
        OCI_MANIFEST + "; charset=utf-8",
        OCI_MANIFEST + ";charset=utf-8;q=1",
        "",
    ],
)
def test_content_type_parameters_are_ignored(
    ready: RegistryClient, content_type: str
) -> None:
    """Parameters of the Content-Type are ignored, and without one the manifest
    says what it is."""
    ready.put(
        "/v2/alice/app/manifests/v1", IMAGE, headers={"Content-Type": content_type}
    )

    response = ready.get("/v2/alice/app/manifests/v1")

    assert response.headers["Content-Type"] == OCI_MANIFEST


@pytest.mark.parametrize(
    "media_type", [OCI_MANIFEST, DOCKER_MANIFEST, OCI_INDEX, DOCKER_LIST]
)
def test_manifest_without_media_type_gets_the_content_type(
    ready: RegistryClient, media_type: str
) -> None:
    """A manifest without a media type of its own has that of its request."""
    is_index = media_type in (OCI_INDEX, DOCKER_LIST)
    fields: dict[str, t.Any] = (
        {"manifests": []}
        if is_index
        else {"config": descriptor(CONFIG), "layers": [descriptor(LAYER)]}
    )
    manifest = encoded({"schemaVersion": 2, **fields})

    response = ready.put_manifest("alice/app", "v1", manifest, media_type)

    assert response.status_code == 201
    pulled = ready.get("/v2/alice/app/manifests/v1")
    assert pulled.headers["Content-Type"] == media_type


def test_push_with_another_media_type_is_refused(ready: RegistryClient) -> None:
    """The same bytes cannot be pushed again as something else."""
    manifest = encoded({"schemaVersion": 2, "config": descriptor(CONFIG), "layers": []})
    path = ("alice/app", "v1", manifest)
    assert ready.put_manifest(*path, OCI_MANIFEST).status_code == 201

    response = ready.put_manifest(*path, DOCKER_MANIFEST)

    assert refusal(response) == (400, "MANIFEST_INVALID")
    pulled = ready.get("/v2/alice/app/manifests/v1")
    assert pulled.headers["Content-Type"] == OCI_MANIFEST


@pytest.mark.parametrize("make", [image, index])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_subject(
    ready: RegistryClient, make: t.Callable[..., bytes], algorithm: str
) -> None:
    """A push with a subject is told that the registry lists referrers."""
    digest = digest_of(b"anything", algorithm)
    subject = {**descriptor(b"anything", OCI_MANIFEST), "digest": digest}

    response = ready.put_manifest("alice/app", "v1", make(subject=subject))

    assert response.headers["OCI-Subject"] == digest
    without = ready.put_manifest("alice/app", "v1", make())
    assert "OCI-Subject" not in without.headers


MISSING = {
    "config": (image(LAYER, config=b"missing"), [b"missing"]),
    "layers": (image(LAYER, b"missing 1", b"missing 2"), [b"missing 1", b"missing 2"]),
    "child": (index(descriptor(b"missing", OCI_MANIFEST)), [b"missing"]),
    "all": (image(b"layer", config=b"config"), [b"config", b"layer"]),
    "one twice": (image(b"missing", b"missing"), [b"missing"]),
    "foreign layer that is nowhere": (
        image(descriptor(b"missing", FOREIGN)),
        [b"missing"],
    ),
    "ordinary layer that is elsewhere": (
        image(descriptor(b"missing", urls=ELSEWHERE)),
        [b"missing"],
    ),
    "manifest as a layer": (image(IMAGE), [IMAGE]),
}


@pytest.mark.parametrize(("manifest", "missing"), MISSING.values(), ids=MISSING.keys())
def test_missing_content(
    ready: RegistryClient, manifest: bytes, missing: list[bytes]
) -> None:
    """A manifest is refused while content is missing, with one error for each."""
    response = ready.put_manifest("alice/app", "v1", manifest)

    assert refusal(response) == (400, "MANIFEST_BLOB_UNKNOWN")
    details = sorted(entry["detail"] for entry in errors(response))
    assert details == sorted(map(digest_of, missing))
    assert ready.head("/v2/alice/app/manifests/v1").status_code == 404
    digest = digest_of(manifest)
    assert ready.head(f"/v2/alice/app/manifests/{digest}").status_code == 404


@pytest.mark.options(oci_allow_sparse=True)
@pytest.mark.parametrize(("manifest", "missing"), MISSING.values(), ids=MISSING.keys())
def test_push_sparse_manifest_succeeds_with_warning(
    alice: RegistryClient, manifest: bytes, missing: list[bytes]
) -> None:
    """Where sparse manifests are allowed, a push of one succeeds with a warning."""
    response = alice.put_manifest("alice/app", "v1", manifest)

    assert response.status_code == 201
    warning = response.headers["Warning"]
    assert warning.startswith('299 - "')
    assert warning.endswith('"')
    assert len(warning) <= 4096
    assert alice.get("/v2/alice/app/manifests/v1").data == manifest


@pytest.mark.parametrize(
    ("name", "warned"), [("alice/app", False), ("alice/" + "a" * 249, True)]
)
def test_push_long_name_gets_a_warning(
    alice: RegistryClient, name: str, warned: bool
) -> None:
    """A name that is too long for some clients with the registry's host gets a
    warning."""
    manifest = alice.push_image(name)

    response = alice.put_manifest(name, "v1", manifest)

    assert response.status_code == 201
    assert ("Warning" in response.headers) is warned


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("kind", ["config", "layer", "child"])
def test_push_descriptor_with_wrong_size_is_refused(
    ready: RegistryClient, kind: str, change: int
) -> None:
    """A descriptor that says another size than the content has is refused."""
    content = {"config": CONFIG, "layer": LAYER, "child": IMAGE}[kind]
    wrong = descriptor(content, OCI_MANIFEST, size=len(content) + change)
    manifest = {
        "config": lambda: image(config=wrong),
        "layer": lambda: image(wrong),
        "child": lambda: index(wrong),
    }[kind]()

    response = ready.put_manifest("alice/app", "v1", manifest)

    assert refusal(response) == (400, "SIZE_INVALID")
    assert ready.head("/v2/alice/app/manifests/v1").status_code == 404


def test_push_manifest_with_foreign_blob_is_refused(
    ready: RegistryClient, bob: RegistryClient
) -> None:
    """Naming a blob in a manifest gives no access to it: it is missing where it
    was not pushed."""
    bob.push_blob("bob/app", CONFIG)
    bob.push_blob("bob/app", b"secret of bob's")
    ready.push_blob("alice/new", CONFIG)

    response = ready.put_manifest("alice/new", "v1", image(b"secret of bob's"))

    assert refusal(response) == (400, "MANIFEST_BLOB_UNKNOWN")
    digest = digest_of(b"secret of bob's")
    assert ready.head(f"/v2/alice/new/blobs/{digest}").status_code == 404
