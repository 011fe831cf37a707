"""Signatures: which are verified, by which signer, and why others are not."""

from __future__ import annotations

import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.oid import ObjectIdentifier
from flask import Flask

from flask_oci.core.signature_facts import SignatureFact
from flask_oci.services import services
from flask_oci.testing import Image
from flask_oci.testing import make_artifact
from flask_oci.testing import make_image
from flask_oci.testing.manifests import descriptor
from tests.support import signing
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.signing import Key
from tests.support.visitor import Visitor

NAME = "alice/app"

#: A certificate whose key has a type that does not exist.
UNKNOWN_KEY = signing.pem_of(
    x509.load_der_x509_certificate(
        signing.certificate(Key())
        .public_bytes(Encoding.DER)
        .replace(
            bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d0209")
        )
    )
)


@pytest.fixture
def image(alice: RegistryClient) -> Image:
    return alice.push(NAME, "v1", make_image())


@pytest.fixture
def key(app: Flask, image: Image) -> Key:
    """The key of a signer that the repository trusts."""
    found = Key()
    with app.app_context():
        registry.trusted_signers.add("release", key=found.pem, repository=NAME)
    return found


def facts(app: Flask, image: Image) -> list[SignatureFact]:
    """Return the signatures of an image."""
    with app.app_context():
        repository = registry.repositories.find(NAME)
        return services().signatures.of(repository, [image.digest])


def reasons(app: Flask, image: Image) -> list[str]:
    """Return the signer of each verified signature, and the reasons for others."""
    return [fact.signer or fact.reason for fact in facts(app, image)]


def test_signature_by_trusted_key_is_verified_in_both_forms(
    app: Flask, alice: RegistryClient, image: Image, key: Key
) -> None:
    alice.push(NAME, None, signing.bundle(key, image.digest, image))
    tag = signing.cosign_tag(image.digest)
    alice.push(NAME, tag, signing.simple_signing(key, image.digest, f"h:1/{NAME}"))
    found = facts(app, image)
    assert {(each.format, each.signer) for each in found} == {
        ("sigstore", "release"),
        ("cosign", "release"),
    }
    assert [each.names(NAME) for each in found if each.format == "cosign"] == [True]
    # Another signature takes the place of the first under the same tag.
    alice.push(NAME, tag, signing.simple_signing(Key(), image.digest))
    verified = [each.format for each in facts(app, image) if each.is_verified]
    assert verified == ["sigstore"]


def test_page_shows_verified_and_unverified_signatures(
    app: Flask, alice: RegistryClient, image: Image, key: Key
) -> None:
    alice.push(NAME, None, signing.bundle(Key(), image.digest, image))
    visitor = Visitor(app, "alice")
    page = visitor.get(f"/images/{NAME}/-/image/v1")
    assert "not verified no trusted signer made it" in page.text
    alice.push(NAME, None, signing.bundle(key, image.digest, image))
    page = visitor.get(f"/images/{NAME}/-/image/v1")
    assert "verified signed by release" in page.text


def test_signature_ends_with_the_trust_in_its_key(
    app: Flask, alice: RegistryClient, image: Image, key: Key
) -> None:
    alice.push(NAME, None, signing.bundle(key, image.digest, image))
    other = Key()
    with app.app_context():
        registry.trusted_signers.add("release", key=other.pem, repository=NAME)
    assert reasons(app, image) == ["its signer is not trusted any more"]
    with app.app_context():
        registry.trusted_signers.add("old", key=key.pem, path="alice/*")
    assert reasons(app, image) == ["old"]
    with app.app_context():
        assert registry.trusted_signers.remove("old", path="alice/*")
        registry.work(once=True)
    assert reasons(app, image) == ["no trusted signer made it"]


def test_work_verifies_signatures_that_precede_the_trust(
    app: Flask, alice: RegistryClient, image: Image
) -> None:
    key = Key()
    alice.push(NAME, None, signing.bundle(key, image.digest, image))
    with app.app_context():
        registry.trusted_signers.add("release", key=key.pem, path="*")
        registry.work(once=True)
    assert reasons(app, image) == ["release"]


Make = t.Callable[[Key, Image], Image]

FORGED: dict[str, tuple[Make, str | None]] = {
    "another digest": (
        lambda key, image: signing.bundle(key, make_image().digest, image),
        "it is for another digest",
    ),
    "another key": (
        lambda key, image: signing.bundle(Key(), image.digest, image),
        "no trusted signer made it",
    ),
    "an attestation": (
        lambda key, image: signing.bundle(
            key, image.digest, image, predicate="https://slsa.dev/provenance/v1"
        ),
        None,
    ),
    "a file without a signature": (
        lambda key, image: make_artifact(b"{}", signing.BUNDLE, image),
        None,
    ),
    "an empty bundle": (
        lambda key, image: signing.artifact(
            descriptor(b"{}", signing.BUNDLE),
            b"{}",
            signing.BUNDLE,
            image,
        ),
        "it has no in-toto statement",
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_bundle_is_not_verified(
    app: Flask, alice: RegistryClient, image: Image, key: Key, name: str
) -> None:
    make, reason = FORGED[name]
    alice.push(NAME, None, make(key, image))
    assert reasons(app, image) == ([reason] if reason else [])


def test_forged_payload_of_a_tag_is_not_verified(
    app: Flask, alice: RegistryClient, image: Image, key: Key
) -> None:
    tag = signing.cosign_tag(image.digest)
    for forged, reason in (
        (signing.simple_signing(key, make_image().digest), "another digest"),
        (signing.simple_signing(key, image.digest, kind="x"), "does not sign an image"),
        (signing.simple_signing(Key(), image.digest), "no trusted signer"),
    ):
        alice.push(NAME, tag, forged)
        (said,) = reasons(app, image)
        assert reason in said


def test_notation_signature_needs_a_chain_to_a_trusted_certificate(
    app: Flask, alice: RegistryClient, image: Image
) -> None:
    root, leaf, rogue = Key(), Key(), Key()
    authority = signing.certificate(root, name="ca", ca=True)
    cert = signing.certificate(leaf, ("ca", root))
    with app.app_context():
        pem = signing.pem_of(authority)
        registry.trusted_signers.add("ca", certificate=pem, repository=NAME)
    digest = image.digest
    not_ca = signing.certificate(rogue, ("release", leaf), name="mallory")
    expired = signing.certificate(leaf, ("ca", root), days=-1)
    for artifact, said in (
        (signing.notation(leaf, [cert, authority], digest, image), "ca"),
        (signing.notation(leaf, [cert], digest, image), "no trusted signer made it"),
        (signing.notation(rogue, [cert, authority], digest, image), "is invalid"),
        (
            signing.notation(rogue, [not_ca, cert, authority], digest, image),
            "its certificate chain is invalid",
        ),
        (signing.notation(leaf, [expired, authority], digest, image), "has expired"),
        (
            signing.notation(leaf, [cert, authority], digest, image, alg="HS256"),
            "its algorithm is not that of its key",
        ),
        (
            signing.notation(leaf, [cert, authority], digest, image, alg="none"),
            "its algorithm is not that of its key",
        ),
        (
            signing.notation(leaf, [cert, authority], digest, image, crit=["x"]),
            "unknown critical entry",
        ),
        (
            signing.notation(leaf, [cert, authority], make_image().digest, image),
            "it is for another digest",
        ),
    ):
        alice.push(NAME, None, artifact)
        found = [f for f in facts(app, image) if f.digest == artifact.digest]
        assert said in (found[0].signer or found[0].reason)


def test_certificate_for_another_use_signs_no_image(
    app: Flask, alice: RegistryClient, image: Image
) -> None:
    """An authority that signs images may also issue certificates of servers."""
    root, leaf = Key(), Key()
    authority = signing.certificate(root, name="ca", ca=True)
    with app.app_context():
        pem = signing.pem_of(authority)
        registry.trusted_signers.add("ca", certificate=pem, repository=NAME)
    for uses, said in (
        ([ExtendedKeyUsageOID.SERVER_AUTH], "its certificate is not for signatures"),
        ([ExtendedKeyUsageOID.CODE_SIGNING], "ca"),
        ([ExtendedKeyUsageOID.CODE_SIGNING, ObjectIdentifier("1.2.3.4")], "ca"),
        (
            [ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.SERVER_AUTH],
            "its certificate is not for signatures",
        ),
    ):
        more = [x509.ExtendedKeyUsage(uses)]
        cert = signing.certificate(leaf, ("ca", root), more=more)
        artifact = signing.notation(leaf, [cert, authority], image.digest, image)
        alice.push(NAME, None, artifact)
        found = [f for f in facts(app, image) if f.digest == artifact.digest]
        assert said == (found[0].signer or found[0].reason)


def test_signature_that_cannot_be_read_stops_no_other(
    app: Flask, alice: RegistryClient, image: Image
) -> None:
    """The certificate has an extension twice, which no library reads."""
    first, second = (ObjectIdentifier(f"1.2.3.4.{n}") for n in (5, 6))
    more = [x509.UnrecognizedExtension(each, b"x") for each in (first, second)]
    key, trusted = Key(), Key()
    der = signing.certificate(key, more=more).public_bytes(Encoding.DER)
    der = der.replace(b"\x06\x04\x2a\x03\x04\x06", b"\x06\x04\x2a\x03\x04\x05")
    broken = x509.load_der_x509_certificate(der)
    alice.push(NAME, None, signing.notation(key, [broken], image.digest, image))
    assert reasons(app, image) == ["it cannot be read"]
    alice.push(NAME, None, signing.bundle(trusted, image.digest, image))
    with app.app_context():
        registry.trusted_signers.add("release", key=trusted.pem, path="*")
        registry.work(once=True)
    assert "release" in reasons(app, image)


def test_many_signatures_do_not_hide_the_verified_one(
    app: Flask,
    alice: RegistryClient,
    image: Image,
    key: Key,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An attacker attaches more signatures than a decision considers."""
    monkeypatch.setattr("flask_oci.catalog.attachments.MAX_FACTS", 3)
    alice.push(NAME, None, signing.bundle(key, image.digest, image))
    for _ in range(5):
        alice.push(NAME, None, signing.bundle(Key(), image.digest, image))
    found = facts(app, image)
    assert len(found) == 3
    assert found[0].signer == "release"


def test_number_of_signers_of_a_namespace_is_bounded(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each signature that is pushed may be compared with all of them."""
    monkeypatch.setattr("flask_oci.core.trusted_signers.MAX_IN_NAMESPACE", 2)
    with app.app_context():
        add = registry.trusted_signers.add
        add("one", key=Key().pem, path="alice/a/*")
        add("one", key=Key().pem, path="alice/b/*")
        with pytest.raises(ValueError, match="paths of 'alice' have at most 2"):
            add("one", key=Key().pem, path="alice/c/*")
        add("one", key=Key().pem, path="alice/b/*")
        add("one", key=Key().pem, path="bob/*")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"key": "x"}, "public key in PEM"),
        ({"certificate": "x"}, "one certificate"),
        ({"certificate": UNKNOWN_KEY}, "Use a key of the type"),
        ({"identity": "a@b.c"}, "issuer"),
        ({"identity": "a@b.c", "issuer": "https://x\0"}, "issuer"),
        ({"key": "x", "identity": "y"}, "Give a key"),
        ({}, "Give a key"),
    ],
)
def test_invalid_signer_is_refused(
    app: Flask, image: Image, arguments: dict[str, str], said: str
) -> None:
    with app.app_context(), pytest.raises(ValueError, match=said):
        registry.trusted_signers.add("release", repository=NAME, **arguments)
