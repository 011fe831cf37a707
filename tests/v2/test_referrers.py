"""Referrers: what refers to a digest, in pages that a client can read."""

from __future__ import annotations

import typing as t

import pytest

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import Json
from flask_oci.testing.manifests import OCI_CONFIG
from flask_oci.testing.manifests import OCI_EMPTY
from flask_oci.testing.manifests import OCI_INDEX
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.manifests import UNKNOWN
from tests.support.registry_client import RegistryClient

NAME = "alice/app"
SBOM, SIGNATURE = "application/vnd.example.sbom", "application/vnd.example.signature"
EMPTY = descriptor(b"{}", OCI_EMPTY)


@pytest.fixture(name="subject")
def _subject(alice: RegistryClient) -> Json:
    """The descriptor of the manifest that alice's artifacts refer to."""
    alice.push_blob("alice/app", b"{}")
    return descriptor(alice.push_image("alice/app", "v1"), OCI_MANIFEST)


def artifact(subject: Json, number: int = 0, **fields: t.Any) -> bytes:
    """Write a manifest that refers to another."""
    annotations = {"number": str(number), **fields.pop("annotations", {})}
    return image(config=EMPTY, subject=subject, annotations=annotations, **fields)


def path_of(subject: Json) -> str:
    """Return where the list of what refers to something is."""
    return f"/v2/alice/app/referrers/{subject['digest']}"


def test_referrers_descriptor_has_type_and_annotations(
    alice: RegistryClient, subject: Json
) -> None:
    """A referrer's descriptor has its type, its annotations, its size and its
    digest."""
    signed = artifact(subject, artifactType=SIGNATURE)
    by_config = image(config=descriptor(b"{}", OCI_CONFIG), subject=subject)
    for manifest in (signed, by_config):
        alice.push_manifest("alice/app", manifest)
    response = alice.get(path_of(subject))
    assert response.headers["Content-Type"] == OCI_INDEX
    assert "OCI-Filters-Applied" not in response.headers
    body = response.get_json()
    assert (body["schemaVersion"], body["mediaType"]) == (2, OCI_INDEX)
    expected = [
        {
            **descriptor(signed, OCI_MANIFEST),
            "artifactType": SIGNATURE,
            "annotations": {"number": "0"},
        },
        {**descriptor(by_config, OCI_MANIFEST), "artifactType": OCI_CONFIG},
    ]
    assert body["manifests"] == sorted(expected, key=lambda entry: entry["digest"])


def test_referrers_filter_by_type(alice: RegistryClient, subject: Json) -> None:
    """A client asks for one type, or for several, and is told that it was heard."""
    for number, kind in enumerate((SBOM, SIGNATURE, SBOM, "text/plain")):
        manifest = artifact(subject, number, artifactType=kind)
        alice.push_manifest("alice/app", manifest)
    for wanted, count in (
        ([SBOM], 2),
        ([SBOM, SIGNATURE], 3),
        (["text/html"], 0),
        (["%"], 0),
        ([""], 4),
    ):
        response = alice.get(path_of(subject), query={"artifactType": wanted})
        found = response.get_json()["manifests"]
        assert len(found) == count
        heard = response.headers.get("OCI-Filters-Applied")
        assert heard == ("artifactType" if any(wanted) else None)
        assert not any(wanted) or {e["artifactType"] for e in found} <= set(wanted)


@pytest.mark.parametrize("query", ["?n=2", f"?n=2&artifactType={SBOM}"])
def test_referrers_pages_list_all_once(
    alice: RegistryClient, subject: Json, query: str
) -> None:
    """Links lead through all of them once, and keep to the type that was asked for."""
    digests = {
        alice.push_manifest("alice/app", artifact(subject, n, artifactType=SBOM))
        for n in range(5)
    }
    other = alice.push_manifest("alice/app", artifact(subject, artifactType=SIGNATURE))
    pages = list(alice.pages(path_of(subject) + query, "manifests"))
    assert [len(page) for page in pages] == [2, 2, 1 if "Type" in query else 2]
    listed = [entry["digest"] for page in pages for entry in page]
    assert listed == sorted(digests | (set() if "Type" in query else {other}))


def test_referrers_page_is_at_most_four_mib(
    alice: RegistryClient, subject: Json
) -> None:
    """Clients read answers of up to four MiB, however long the annotations are."""
    filler = {f"key{n}": "x" * 10_000 for n in range(90)}
    digests = [
        alice.push_manifest("alice/app", artifact(subject, n, annotations=filler))
        for n in range(6)
    ]
    listed, path = [], path_of(subject)
    while path:
        response = alice.get(path)
        assert len(response.data) <= 4 * 1024 * 1024
        listed += [entry["digest"] for entry in response.get_json()["manifests"]]
        path = response.headers.get("Link", "").partition(">")[0][1:]
    assert listed == sorted(digests)


def test_referrers_list_follows_pushes_and_deletions(
    alice: RegistryClient, subject: Json
) -> None:
    """A referrer can be there before its subject and after it, and is gone from the
    list when it is deleted."""
    later = descriptor(image(config=EMPTY, annotations={"a": "later"}), OCI_MANIFEST)
    digest = alice.push_manifest("alice/app", artifact(later))
    (listed,) = alice.get(path_of(later)).get_json()["manifests"]
    assert listed["digest"] == digest
    referrer = alice.push_manifest("alice/app", artifact(subject))
    gone = alice.delete(f"/v2/alice/app/manifests/{subject['digest']}")
    assert gone.status_code == 202
    (listed,) = alice.get(path_of(subject)).get_json()["manifests"]
    assert listed["digest"] == referrer
    assert alice.delete(f"/v2/alice/app/manifests/{referrer}").status_code == 202
    assert alice.get(path_of(subject)).get_json()["manifests"] == []


def test_referrers_of_unknown_digest_is_empty(alice: RegistryClient) -> None:
    """An unknown digest has an empty list, a malformed one is a 400."""
    alice.push_image("alice/app", "v1")
    for name in ("alice/app", "alice/missing"):
        response = alice.get(f"/v2/{name}/referrers/{UNKNOWN}")
        assert response.get_json()["manifests"] == []
    for digest in ("sha256:x", "latest", digest_of(b"x").upper()):
        response = alice.get(f"/v2/alice/app/referrers/{digest}")
        assert refusal(response) == (400, "DIGEST_INVALID")


def listing(*referrers: bytes) -> bytes:
    """Return a list of referrers, as clients push it under the fallback tag."""
    return index(*(descriptor(each, OCI_MANIFEST) for each in referrers))


def test_referrer_in_stale_list_can_be_deleted(alice: RegistryClient) -> None:
    """A client replaces the list under the fallback tag (spec.md, "Referrers Tag
    Schema"). The former list is deleted with its entry."""
    subject = alice.push_image(NAME, "1.0")
    first, second = (
        alice.push_image(NAME, layer=layer, subject=descriptor(subject, OCI_MANIFEST))
        for layer in (b"first", b"second")
    )
    fallback = digest_of(subject).replace(":", "-")
    for entries in ((first,), (first, second), (second,)):
        alice.push_manifest(NAME, listing(*entries), fallback)
    assert alice.delete(manifest_path(second)).status_code == 403
    assert alice.delete(manifest_path(first)).status_code == 202
    for stale in (listing(first), listing(first, second)):
        assert alice.get(manifest_path(stale)).status_code == 404
    assert alice.get(f"/v2/{NAME}/manifests/{fallback}").data == listing(second)
    assert alice.get(manifest_path(second)).status_code == 200


def test_referrer_in_other_untagged_index_is_kept(alice: RegistryClient) -> None:
    """An index of images is not a list of referrers, nor is an index that another index
    contains."""
    subject = alice.push_image(NAME, "1.0")
    signature = alice.push_image(
        NAME, layer=b"signature", subject=descriptor(subject, OCI_MANIFEST)
    )
    mixed = listing(subject, signature)
    alice.push_manifest(NAME, mixed)
    assert alice.delete(manifest_path(signature)).status_code == 403
    assert alice.delete(manifest_path(mixed)).status_code == 202
    inner = listing(signature)
    alice.push_manifest(NAME, inner)
    alice.push_manifest(NAME, index(descriptor(inner, OCI_INDEX)), "outer")
    assert alice.delete(manifest_path(signature)).status_code == 403


def manifest_path(content: bytes) -> str:
    """Return the path of a manifest by its digest."""
    return f"/v2/{NAME}/manifests/{digest_of(content)}"
