"""Signatures of Notation: those that its own client made, and forged ones in COSE."""

from __future__ import annotations

import typing as t
from datetime import datetime
from datetime import timezone
from pathlib import Path

import pytest
from flask import Flask

from flask_oci.services import services
from flask_oci.testing import Image
from flask_oci.testing import make_image
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.verification import parse_signer
from flask_oci.verification import SignedFile
from flask_oci.verification import verify
from tests.support import signing
from tests.support.cose import attached
from tests.support.cose import cose
from tests.support.cose import encode
from tests.support.cose import EXPIRY
from tests.support.cose import HEADER
from tests.support.cose import SCHEME
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.signing import Key

NAME = "alice/app"

#: Signatures by Notation 1.3.2, with certificates that are valid for a century.
RECORDED = Path(__file__).parent / "notation"
MANIFEST = (RECORDED / "image.json").read_bytes()
AUTHORITY = (RECORDED / "authority.pem").read_text()
TYPES = {"jws": "application/jose+json", "cose": "application/cose"}


def _recorded(name: str) -> tuple[bytes, str]:
    content = (RECORDED / name).read_bytes()
    return content, TYPES[name.partition(".")[2]]


def _said(app: Flask, subject: Image, artifact: Image) -> str:
    """Return the signer of a signature, or the reason why it is not verified."""
    with app.app_context():
        repository = registry.repositories.find(NAME)
        (found,) = [
            fact
            for fact in services().signatures.of(repository, [subject.digest])
            if fact.digest == artifact.digest
        ]
    return found.signer or found.reason


@pytest.mark.parametrize("name", ["rsa.jws", "rsa.cose", "ec.jws", "ec.cose"])
def test_signature_by_the_client_is_verified(
    app: Flask, alice: RegistryClient, name: str
) -> None:
    """It is verified by the authority of its certificate, and by no other."""
    contents = {digest_of(part): part for part in (MANIFEST, b"{}", b"hello")}
    image = Image(OCI_MANIFEST, digest_of(MANIFEST), contents)
    alice.push(NAME, "v1", image)
    content, media_type = _recorded(name)
    layer = descriptor(content, media_type)
    artifact = signing.artifact(layer, content, signing.NOTATION, image)
    other = signing.pem_of(signing.certificate(Key(), name="Example CA", ca=True))
    with app.app_context():
        registry.trusted_signers.add("other", certificate=other, repository=NAME)
    alice.push(NAME, None, artifact)
    assert _said(app, image, artifact) == "no trusted signer made it"
    with app.app_context():
        registry.trusted_signers.add("ca", certificate=AUTHORITY, repository=NAME)
        registry.work(once=True)
    assert _said(app, image, artifact) == "ca"


@pytest.mark.parametrize("name", ["ec.jws", "ec.cose"])
def test_changed_signature_is_not_verified(name: str) -> None:
    """Each byte is changed in turn. Not signed are only the name of the client, and
    the number of unused bits behind the signature of a certificate."""
    content, media_type = _recorded(name)
    signers = [parse_signer("ca", "certificate", AUTHORITY)]
    agent = content.index(b"io.cncf.notary.signingAgent")
    unused_bits = content.find(b"\x03\x68\x00\x30") + 2
    unsigned = {*range(agent - 2, agent + 60), unused_bits}
    subject = digest_of(MANIFEST)
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1
        file = SignedFile(media_type, bytes(changed), {})
        outcome = verify(file, subject, signers, None)
        assert outcome is not None
        assert outcome.signer is None or position in unsigned, position


def _expired(moment: float) -> dict[int | str, t.Any]:
    return {**HEADER, EXPIRY: ("tag", 1, int(moment))}


NOW = datetime.now(timezone.utc).timestamp()

#: The protected header of an envelope, and the result.
HEADERS: dict[str, tuple[dict[int | str, t.Any], str]] = {
    "as Notation's": (HEADER, "ca"),
    "expires later": (_expired(NOW + 3600), "ca"),
    "expired": (_expired(NOW - 3600), "it has expired"),
    "expires never": ({**HEADER, EXPIRY: "never"}, "its time of expiry is invalid"),
    "expires far away": (_expired(2**62), "its time of expiry is invalid"),
    "an algorithm of MACs": ({**HEADER, 1: 5}, "its algorithm is not that of its key"),
    "no algorithm": ({**HEADER, 1: None}, "its algorithm is not that of its key"),
    "another algorithm": ({**HEADER, 1: -37}, "its algorithm is not that of its key"),
    "a critical label": ({**HEADER, 2: [SCHEME, 3]}, "an unknown critical entry"),
    "nothing critical": ({**HEADER, 2: None}, "an unknown critical entry"),
    "another scheme": (
        {**HEADER, SCHEME: "notary.x509.signingAuthority"},
        "it is not a signature of the scheme notary.x509",
    ),
    "another payload": (
        {**HEADER, 3: "text/plain"},
        "it is not a signature of the scheme notary.x509",
    ),
}


class Signed(t.NamedTuple):
    """An image, and a certificate by an authority that its repository trusts."""

    image: Image
    key: Key
    chain: list[t.Any]


@pytest.fixture(name="signed")
def _signed(app: Flask, alice: RegistryClient) -> Signed:
    image = alice.push(NAME, "v1", make_image())
    root, leaf = Key(), Key()
    authority = signing.certificate(root, name="ca", ca=True)
    with app.app_context():
        pem = signing.pem_of(authority)
        registry.trusted_signers.add("ca", certificate=pem, repository=NAME)
    return Signed(image, leaf, [signing.certificate(leaf, ("ca", root)), authority])


@pytest.mark.parametrize("name", HEADERS)
def test_header_of_an_envelope_is_checked(
    app: Flask, alice: RegistryClient, signed: Signed, name: str
) -> None:
    header, said = HEADERS[name]
    content = cose(signed.key, signed.chain, signed.image.digest, header)
    artifact = attached(content, signed.image)
    alice.push(NAME, None, artifact)
    assert said in _said(app, signed.image, artifact)


def test_envelope_of_another_kind_is_not_verified(
    app: Flask, alice: RegistryClient, signed: Signed
) -> None:
    """A signature for another digest, of another structure, or by another key."""
    image, key, chain = signed
    for content, said in (
        (cose(key, chain, make_image().digest), "it is for another digest"),
        (cose(key, chain, image.digest, context="Signature"), "is invalid"),
        (cose(Key(), chain, image.digest), "its signature is invalid"),
        (cose(key, chain[:1], image.digest), "no trusted signer made it"),
        (cose(key, [], image.digest), "it has no certificate chain"),
        (cose(key, chain[:1] * 9, image.digest), "it has no certificate chain"),
    ):
        artifact = attached(content, image)
        alice.push(NAME, None, artifact)
        assert said in _said(app, image, artifact)


#: Content that is not an envelope with one signer.
OTHERS: dict[str, bytes] = {
    "empty": b"",
    "JSON": b"{}",
    "an integer": encode(18),
    "another tag": encode(("tag", 98, [b"", {}, b"", b""])),
    "too few fields": encode(("tag", 18, [b"", {}, b""])),
    "texts": encode(("tag", 18, ["", {}, "", ""])),
    "deep arrays": b"\x81" * 60_000 + b"\x80",
    "deep tags": b"\xd2" * 60_000 + b"\x80",
    "a long array": b"\xd2\x9b" + b"\xff" * 8,
    "a long string": b"\xd2\x84\x5b" + b"\x7f" * 8 + b"x",
    "a map of maps": b"\xd2\x84\x40" + b"\xba\x00\x00\xff\xff" * 3,
    "no definite length": b"\xd2\x9f\x40\xa0\x40\x40\xff",
    "a fraction": b"\xd2\x84\x40\xa1\x01\xfb" + bytes(8) + b"\x40\x40",
    "bytes behind it": encode(("tag", 18, [b"\xa0", {}, b"", b""])) + b"\x00",
    "a repeated key": b"\xd2\x84\x45\xa2\x01\x26\x01\x05\xa0\x40\x40",
    "a text that is not UTF-8": b"\xd2\x84\x40\xa1\x61\xff\x00\x40\x40",
}


def test_content_that_is_no_envelope_is_not_verified(
    app: Flask, alice: RegistryClient, signed: Signed
) -> None:
    """The registry says so at once, also if the content announces more than it has."""
    for name, content in OTHERS.items():
        artifact = attached(content, signed.image)
        alice.push(NAME, None, artifact)
        said = _said(app, signed.image, artifact)
        assert said == "its envelope is not COSE with one signer", name
