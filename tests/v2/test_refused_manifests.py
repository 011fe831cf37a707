"""Manifests that two readers could read differently, and other bad ones."""

from __future__ import annotations

import io
import json
from urllib.parse import quote

import pytest

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import DOCKER_MANIFEST
from flask_oci.testing.manifests import encoded
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_INDEX
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.registry_client import RegistryClient
from tests.support.registry_client import Source

pytestmark = pytest.mark.sqlite_only

IMAGE = image(LAYER)
MIB = 1024 * 1024


def changed(place: str, value: object, manifest: bytes = IMAGE) -> bytes:
    """Return a manifest with another value at a place such as ``config.size``."""
    fields = json.loads(manifest)
    *path, last = place.split(".")
    target = fields
    for step in path:
        target = target[int(step) if step.isdigit() else step]
    target[last] = value
    return encoded(fields)


def without(place: str) -> bytes:
    """Return a manifest that lacks what is at a place."""
    marker = "the value to be removed"
    text = changed(place, marker).decode()
    fields = json.loads(
        text,
        object_hook=lambda pairs: {k: v for k, v in pairs.items() if v != marker},
    )
    return encoded(fields)


SYNTAX = {
    "empty": b"",
    "white space": b" \n",
    "text": b"hello",
    "HTML": b"<html></html>",
    "list": b"[]",
    "string": b'"x"',
    "number": b"1",
    "null": b"null",
    "cut off": IMAGE[:-2],
    "trailing comma": IMAGE.rstrip()[:-1] + b",}",
    "trailing data": IMAGE + b"x",
    "two documents": IMAGE + IMAGE,
    "byte order mark": b"\xef\xbb\xbf" + IMAGE,
    "UTF-16": IMAGE.decode().encode("utf-16"),
    "no UTF-8": IMAGE.replace(b"linux", b"\xff\xfe").replace(b"sha256", b"\xff"),
    "comment": b"/* */" + IMAGE,
    "duplicate key": IMAGE.replace(b"{", b'{"schemaVersion": 2,', 1),
    "duplicate key inside": IMAGE.replace(b'"size"', b'"size": 1, "size"', 1),
    "NaN": changed("x", float("nan")),
    "Infinity": changed("x", float("inf")),
    "huge number": IMAGE.replace(b"{", b'{"x": ' + b"9" * 10_000 + b",", 1),
    "deep list": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "deep value": IMAGE.replace(b"{", b'{"x": ' + b"[" * 5000 + b"]" * 5000 + b",", 1),
}

FIELDS = {
    "no schema version": without("schemaVersion"),
    "schema version 1": changed("schemaVersion", 1),
    "schema version 3": changed("schemaVersion", 3),
    "schema version as text": changed("schemaVersion", "2"),
    "schema version true": changed("schemaVersion", True),
    "schema 1 layers": changed("fsLayers", []),
    "schema 1 layers of an index": changed("fsLayers", [], index()),
    "other media type": changed("mediaType", OCI_INDEX),
    "Docker's media type": changed("mediaType", DOCKER_MANIFEST),
    "media type that is no text": changed("mediaType", 2),
    "manifests in an image": changed("manifests", []),
    "config in an index": changed("config", descriptor(CONFIG), index()),
    "layers in an index": changed("layers", [], index()),
    "no config": without("config"),
    "config null": changed("config", None),
    "config as a list": changed("config", [descriptor(CONFIG)]),
    "layers as an object": changed("layers", {}),
    "layer as text": changed("layers", [digest_of(LAYER)]),
    "layer null": changed("layers", [None]),
    "children as an object": changed("manifests", {}, index()),
    "children missing": encoded({"schemaVersion": 2, "mediaType": OCI_INDEX}),
    "child as text": changed("manifests", ["x"], index()),
    "too many layers": changed("layers", [descriptor(LAYER)] * 10_001),
    "annotations as a list": changed("annotations", []),
    "annotation as a number": changed("annotations", {"a": 1}),
    "half a character": changed("annotations", {"a": "\ud800"}),
    "half a character in a key": changed("annotations", {"\udfff": "a"}),
    "artifact type as a number": changed("artifactType", 1),
    "artifact type that is none": changed("artifactType", "no type"),
    "artifact type with a line feed": changed("artifactType", "a/b\r\nX-Y: z"),
    "subject as text": changed("subject", digest_of(b"x")),
    "subject as a list": changed("subject", []),
    "subject without a digest": changed("subject", {"mediaType": OCI_MANIFEST}),
    "subject with a line feed": changed(
        "subject", {**descriptor(b"x"), "digest": digest_of(b"x") + "\r\nX-Y: z"}
    ),
    "subject of another algorithm": changed(
        "subject", {**descriptor(b"x"), "digest": "md5:" + "ab" * 16}
    ),
}

DESCRIPTOR = {
    "size true": ("size", True),
    "size negative": ("size", -1),
    "size as a fraction": ("size", 7.0),
    "size as text": ("size", "7"),
    "size null": ("size", None),
    "size beyond 53 bits": ("size", 2**53),
    "digest as a number": ("digest", 1),
    "digest null": ("digest", None),
    "digest empty": ("digest", ""),
    "digest short": ("digest", "sha256:abc"),
    "digest in upper case": ("digest", "sha256:" + "AB" * 32),
    "digest of another algorithm": ("digest", "md5:" + "ab" * 16),
    "digest with a path": ("digest", "sha256:../../../../etc/passwd"),
    "media type null": ("mediaType", None),
    "media type empty": ("mediaType", ""),
    "media type with a space": ("mediaType", "my layer"),
    "media type with a line feed": ("mediaType", "a/b\r\nX-Y: z"),
    "media type too long": ("mediaType", "a/" + "b" * 300),
    "urls as text": ("urls", "https://example.org"),
    "urls of numbers": ("urls", [1]),
}


def _put(client: RegistryClient, manifest: bytes, media_type: str) -> tuple[int, str]:
    """Push a manifest that must not get in, and return the refusal."""
    response = client.put_manifest("alice/app", "v1", manifest, media_type)
    assert client.head("/v2/alice/app/manifests/v1").status_code == 404
    digest = digest_of(manifest)
    assert client.head(f"/v2/alice/app/manifests/{digest}").status_code == 404
    return refusal(response)


@pytest.fixture(name="ready", autouse=True)
def _ready(alice: RegistryClient) -> None:
    alice.push_blob("alice/app", CONFIG)
    alice.push_blob("alice/app", LAYER)


@pytest.mark.parametrize("manifest", SYNTAX.values(), ids=SYNTAX.keys())
def test_manifest_ambiguous_json_is_refused(
    alice: RegistryClient, manifest: bytes
) -> None:
    """A manifest that is not one unambiguous JSON object in UTF-8 is refused."""
    assert _put(alice, manifest, OCI_MANIFEST) == (400, "MANIFEST_INVALID")


@pytest.mark.parametrize("manifest", FIELDS.values(), ids=FIELDS.keys())
def test_manifest_invalid_fields_are_refused(
    alice: RegistryClient, manifest: bytes
) -> None:
    """Fields that are missing, or of the wrong kind, or of two kinds of manifest
    are refused."""
    is_index = b'"config"' not in manifest or b'"manifests": []' in manifest
    kinds = [OCI_INDEX, OCI_MANIFEST] if is_index else [OCI_MANIFEST]
    for media_type in kinds:
        assert _put(alice, manifest, media_type) == (400, "MANIFEST_INVALID")


@pytest.mark.parametrize(("field", "value"), DESCRIPTOR.values(), ids=DESCRIPTOR.keys())
@pytest.mark.parametrize("kind", ["config", "layer", "child", "subject"])
def test_manifest_invalid_descriptor_is_refused(
    alice: RegistryClient, kind: str, field: str, value: object
) -> None:
    """A descriptor that describes nothing is refused wherever it stands."""
    good = descriptor(LAYER)
    bad = {**good, field: value}
    manifest = {
        "config": lambda: image(config=bad),
        "layer": lambda: image(good, bad),
        "child": lambda: index(good, bad),
        "subject": lambda: image(subject=bad),
    }[kind]()
    media_type = OCI_INDEX if kind == "child" else OCI_MANIFEST

    assert _put(alice, manifest, media_type) == (400, "MANIFEST_INVALID")


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.oci.artifact.manifest.v1+json",
        "application/json",
        "application/octet-stream",
        "text/html",
        "image/svg+xml",
        "*/*",
        OCI_MANIFEST.upper(),
        OCI_MANIFEST + ",text/html",
    ],
)
@pytest.mark.parametrize("inside", [True, False], ids=["named inside", "not inside"])
def test_manifest_unsupported_media_type_is_refused(
    alice: RegistryClient, media_type: str, inside: bool
) -> None:
    """A media type other than OCI and Docker schema 2 is refused, even if the manifest
    is valid otherwise."""
    fields = json.loads(IMAGE)
    fields.pop("mediaType")
    if inside:
        fields["mediaType"] = media_type

    assert _put(alice, encoded(fields), media_type) == (400, "MANIFEST_INVALID")


def test_manifest_docker_schema_1_is_refused(alice: RegistryClient) -> None:
    """Docker's first schema is refused, so that clients try the second."""
    manifest = encoded(
        {"schemaVersion": 1, "name": "alice/app", "tag": "v1", "fsLayers": []}
    )
    media_type = "application/vnd.docker.distribution.manifest.v1+prettyjws"

    assert _put(alice, manifest, media_type) == (400, "MANIFEST_INVALID")


@pytest.mark.parametrize("content_type", [None, "", "; charset=utf-8"])
def test_manifest_without_type_is_refused(
    alice: RegistryClient, content_type: str | None
) -> None:
    """A manifest whose type neither the request nor the manifest says is refused."""
    fields = json.loads(IMAGE)
    del fields["mediaType"]
    headers = {} if content_type is None else {"Content-Type": content_type}

    response = alice.put("/v2/alice/app/manifests/v1", encoded(fields), headers=headers)

    assert refusal(response) == (400, "MANIFEST_INVALID")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_manifest_wrong_digest_is_refused(
    alice: RegistryClient, algorithm: str
) -> None:
    """A manifest is not stored under a digest that it does not have."""
    digest = digest_of(b"something else", algorithm)

    response = alice.put_manifest("alice/app", digest, IMAGE, query={"tag": "v1"})

    assert refusal(response) == (400, "DIGEST_INVALID")
    assert alice.head(f"/v2/alice/app/manifests/{digest}").status_code == 404
    assert alice.tags("alice/app") == []


@pytest.mark.parametrize(
    "reference",
    ["sha256:baddigeststring", "sha256:", "md5:" + "ab" * 16, "a:b", "sha256:%2e%2e"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_manifest_malformed_digest_returns_400(
    alice: RegistryClient, method: str, reference: str
) -> None:
    """A reference with a colon is a digest, or a 400."""
    response = alice.request(
        method,
        f"/v2/alice/app/manifests/{reference}",
        IMAGE if method == "PUT" else None,
        headers={"Content-Type": OCI_MANIFEST},
    )

    assert response.status_code == 400
    if method != "HEAD":
        assert refusal(response) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("place", ["path", "parameter"])
@pytest.mark.parametrize(
    "tag", [".a", "-a", "a" * 129, "a b", "a+b", "\u00e4", "\u0661", "a\n", "a\0"]
)
def test_manifest_malformed_tag_refuses_the_push(
    alice: RegistryClient, place: str, tag: str
) -> None:
    """A push that would set what is no tag is refused as a whole."""
    if place == "path":
        response = alice.put_manifest("alice/app", quote(tag), IMAGE)
    else:
        query = {"tag": ["good", tag]}
        response = alice.put_manifest("alice/app", digest_of(IMAGE), IMAGE, query=query)

    assert refusal(response) == (400, "MANIFEST_INVALID")
    assert alice.tags("alice/app") == []
    assert alice.head(f"/v2/alice/app/manifests/{digest_of(IMAGE)}").status_code == 404


@pytest.mark.parametrize("length", [10 * MIB + 1, None], ids=["length", "chunked"])
def test_manifest_over_10_mib_returns_413(
    alice: RegistryClient, length: int | None
) -> None:
    """A manifest of more than 10 MiB is a 413, and is never held in memory as a
    whole."""
    source = Source(b" " * (10 * MIB + 1))

    response = alice.put(
        "/v2/alice/app/manifests/v1",
        headers={"Content-Type": OCI_MANIFEST},
        environ=source.environ(length),
    )

    assert refusal(response) == (413, "MANIFEST_INVALID")
    assert not source.reads or -1 < max(source.reads) <= MIB
    assert alice.head("/v2/alice/app/manifests/v1").status_code == 404


@pytest.mark.options(oci_max_manifest_size=1000)
@pytest.mark.parametrize(("excess", "status"), [(0, 201), (1, 413)])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_manifest_limit_includes_its_value(
    alice: RegistryClient, excess: int, status: int, chunked: bool
) -> None:
    """A manifest of exactly the maximum size is accepted."""
    manifest = IMAGE.ljust(1000 + excess)

    response = alice.put_manifest("alice/app", "v1", manifest, chunked=chunked)

    assert response.status_code == status


def test_manifest_hidden_body_returns_501(alice: RegistryClient) -> None:
    """A manifest that the server does not hand on is a 501."""
    response = alice.put_manifest(
        "alice/app",
        "v1",
        IMAGE,
        chunked=True,
        environ={
            "wsgi.input": io.BufferedReader(io.BytesIO(IMAGE)),
            "wsgi.input_terminated": False,
        },
    )

    assert response.status_code == 501
    assert "chunked" in response.get_json()["errors"][0]["message"]
