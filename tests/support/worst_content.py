"""The most expensive content that the registry accepts, and a repository full of it."""

from __future__ import annotations

import json
import typing as t

from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_CONFIG
from flask_oci.testing.manifests import OCI_MANIFEST

if t.TYPE_CHECKING:
    from tests.support.registry_client import RegistryClient

NAME: t.Final = "alice/worst"
SUBJECT: t.Final = image(LAYER)

#: The number of tags that point at one index.
COPIES: t.Final = 40


def filled(manifest: bytes, filler: str, number: int) -> bytes:
    """Return a manifest with a field of many values that the registry does not know."""
    return manifest.rstrip()[:-1] + b',"x":[%s]}' % ",".join([filler] * number).encode()


def config(filler: str, number: int) -> bytes:
    """Return an image config with many steps, labels and variables."""
    fields = {
        "os": "linux",
        "architecture": "amd64",
        "config": {
            "Env": [f"V{n}=x" for n in range(600)],
            "Labels": {f"label{n}": "x" for n in range(600)},
        },
        "history": [{"created_by": f"RUN {n}"} for n in range(600)],
    }
    return filled(json.dumps(fields).encode(), filler, number)


CONFIGS: t.Final = {
    "full": config("[]", 500),
    "overfull": config("{}", 600_000),
    "steps": json.dumps({"history": [{"created_by": "x" * 4000}] * 500}).encode(),
}
CHILD: t.Final = {
    **descriptor(SUBJECT, OCI_MANIFEST, platform={"os": "a", "architecture": "b"}),
    "annotations": {f"a{n}": "b" for n in range(20)},
}

MANIFESTS: t.Final = {
    "objects": filled(image(LAYER), "{}", 99_000),
    "lists": filled(image(LAYER), "[]", 99_000),
    "members": filled(image(LAYER), '{"a":{"b":[0]}}', 20_000),
    "string": image(LAYER, x='"' * 2_000_000),
    "spaces": image(LAYER)[:-1] + b" " * 4_000_000 + b"}",
    "annotations": image(LAYER, annotations={f"a{n}": "" for n in range(40_000)}),
    "layers": image(*[LAYER] * 9000),
    "children": index(*[CHILD] * 2000),
    **{
        f"config-{name}": image(LAYER, config=descriptor(content, OCI_CONFIG))
        for name, content in CONFIGS.items()
    },
}

#: An index just below the size that lists read.
INDEX: t.Final = filled(index(*[CHILD] * 30), "{}", 5000)


def push(alice: RegistryClient) -> None:
    """Push the content to the repository."""
    for blob in (CONFIG, LAYER, *CONFIGS.values()):
        alice.push_blob(NAME, blob)
    alice.push_manifest(NAME, SUBJECT, "subject")
    for tag, manifest in MANIFESTS.items():
        alice.push_manifest(NAME, manifest, tag)
    for number in range(10):
        alice.push_manifest(
            NAME,
            image(
                LAYER,
                number=number,
                subject=descriptor(SUBJECT, OCI_MANIFEST),
                annotations={f"a{n}": "" for n in range(5000)},
            ),
        )
    for number in range(COPIES):
        alice.push_manifest(NAME, INDEX, f"index-{number}")
