"""Manifests that real clients push and a strict reading would refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask

from flask_oci.testing.answers import refusal
from flask_oci.testing.images import make_layer
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import DOCKER_LIST
from flask_oci.testing.manifests import encoded
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_INDEX
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.host import Administrator
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.visitor import Visitor

NAME = "alice/app"
FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar"


def without_layers(value: object) -> bytes:
    """Return an image manifest whose ``layers`` are absent, or have a value."""
    fields = json.loads(image())
    del fields["layers"]
    return encoded(fields if value is ... else {**fields, "layers": value})


@pytest.mark.parametrize("value", [None, ..., []], ids=["null", "absent", "empty"])
def test_image_without_layers_is_stored_as_it_is(
    app: Flask, alice: RegistryClient, value: object
) -> None:
    """BuildKit writes null for an image without layers; its bytes stay as they are."""
    manifest = without_layers(value)
    alice.push_blob(NAME, CONFIG)
    assert alice.put_manifest(NAME, "1.0", manifest, OCI_MANIFEST).status_code == 201
    assert alice.get(f"/v2/{NAME}/manifests/1.0").data == manifest
    assert Visitor(app, "alice").status(f"/images/{NAME}/-/image/1.0") == 200
    (tag,) = RestClient.of(app, "alice").items(f"/repositories/{NAME}/-/tags")
    assert tag["name"] == "1.0"


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_index_without_manifests_is_stored_as_it_is(
    app: Flask, alice: RegistryClient, media_type: str
) -> None:
    """Clients written in Go write an empty list as null."""
    manifest = encoded({"schemaVersion": 2, "mediaType": media_type, "manifests": None})
    assert alice.put_manifest(NAME, "1.0", manifest, media_type).status_code == 201
    assert alice.get(f"/v2/{NAME}/manifests/1.0").data == manifest
    assert Visitor(app, "alice").status(f"/images/{NAME}/-/image/1.0") == 200
    (tag,) = RestClient.of(app, "alice").items(f"/repositories/{NAME}/-/tags")
    assert tag["name"] == "1.0"


@pytest.mark.parametrize("form", ["image", "index"])
def test_null_list_is_exported_and_imported(
    app: Flask, alice: RegistryClient, tmp_path: Path, form: str
) -> None:
    """An archive has the same bytes, and the commands that read it accept it."""
    manifest = without_layers(None)
    alice.push_blob(NAME, CONFIG)
    if form == "index":
        manifest = encoded(
            {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": None}
        )
    alice.push_manifest(NAME, manifest, "1.0")
    archive = str(tmp_path / "image.tar")
    runner = app.test_cli_runner()
    for command in (
        ["oci", "show", f"{NAME}:1.0"],
        ["oci", "export", f"{NAME}:1.0", archive],
        ["oci", "import", archive, "alice/copy:1.0"],
    ):
        result = runner.invoke(args=command)
        assert result.exit_code == 0, result.output
    assert alice.get("/v2/alice/copy/manifests/1.0").data == manifest


def test_layer_media_type_without_slash_is_stored(alice: RegistryClient) -> None:
    """``oras push file:mytype`` writes what its user typed."""
    manifest = image(descriptor(LAYER, "mytype"))
    alice.push_blob(NAME, CONFIG)
    alice.push_blob(NAME, LAYER)
    assert alice.put_manifest(NAME, "1.0", manifest).status_code == 201


def test_config_media_type_without_slash_is_refused(alice: RegistryClient) -> None:
    """The type of the config says what the manifest is, and clients compare it."""
    manifest = encoded(
        {**json.loads(image()), "config": descriptor(CONFIG, media_type="mytype")}
    )
    response = alice.put_manifest(NAME, "1.0", manifest)
    assert refusal(response) == (400, "MANIFEST_INVALID")


def test_foreign_layers_of_declared_sizes_never_overflow_sums(
    app: Flask, alice: RegistryClient, admin: Administrator
) -> None:
    """Nothing verifies the size of a foreign layer, and every view sums the sizes."""
    layers = [
        {
            **descriptor(str(number).encode(), FOREIGN),
            "size": 2**53 - 1,
            "urls": ["https://example.org/layer"],
        }
        for number in range(1100)
    ]
    alice.push_blob(NAME, CONFIG)
    alice.push_manifest(NAME, image(*layers), "1.0")
    admin.publish(NAME)
    visitor = Visitor(app)
    for path in (f"/images/{NAME}", f"/images/{NAME}/-/image/1.0", "/images/"):
        assert visitor.status(path) == 200
    (tag,) = RestClient.of(app, "bob").items(f"/repositories/{NAME}/-/tags")
    assert tag["bytes"] >= 1100 * (2**53 - 1)


@pytest.mark.parametrize(
    "filler",
    ["{}", "0", '""', '{"a":0}', "[[]]"],
    ids=["objects", "numbers", "strings", "members", "lists"],
)
def test_manifest_of_too_many_values_is_refused(
    alice: RegistryClient, filler: str
) -> None:
    """A few megabytes of tiny values would take gigabytes of memory once read."""
    manifest = image().decode()[:-1] + ',"x":[' + ",".join([filler] * 201_000) + "]}"
    response = alice.put_manifest(NAME, "1.0", manifest.encode())
    assert refusal(response) == (400, "MANIFEST_INVALID")
    assert (
        "at most 200000 values and keys" in response.get_json()["errors"][0]["message"]
    )


def test_manifest_of_marks_inside_strings_is_stored(alice: RegistryClient) -> None:
    """Commas and brackets in an annotation, such as an SBOM's text, are no values."""
    note = json.dumps({"packages": [{"a": [1, 2]}] * 20_000})
    layer = make_layer({"a": b"a"})
    manifest = image(layer, annotations={"org.example.sbom": note})
    alice.push_blob(NAME, CONFIG)
    alice.push_blob(NAME, layer)
    assert alice.put_manifest(NAME, "1.0", manifest).status_code == 201


def test_index_of_the_most_children_with_platforms_is_read(
    alice: RegistryClient,
) -> None:
    """The bound on values allows the documented number of descriptors."""
    child = {
        **descriptor(b"x", OCI_MANIFEST),
        "platform": {"os": "a", "architecture": "b"},
    }
    response = alice.put_manifest(NAME, "1.0", index(*[child] * 10_000))
    assert refusal(response) == (400, "MANIFEST_BLOB_UNKNOWN")


def test_manifest_of_closing_brackets_is_refused(alice: RegistryClient) -> None:
    """The scan ends at the first bracket that nothing opened."""
    response = alice.put_manifest(
        NAME, "1.0", b"[]" * 65 + b"]" * 9_000_000, OCI_MANIFEST
    )
    assert refusal(response) == (400, "MANIFEST_INVALID")
    assert "do not match" in response.get_json()["errors"][0]["message"]
