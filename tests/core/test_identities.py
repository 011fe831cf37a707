"""Signatures without a key, by the identity in a certificate of Sigstore."""

from __future__ import annotations

import typing as t
from copy import deepcopy
from datetime import datetime
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from flask import Flask

from flask_oci.services import services
from flask_oci.testing import Image
from flask_oci.testing import make_image
from tests.conftest import MakeApp
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.signing import Key
from tests.support.sigstore_instance import attached
from tests.support.sigstore_instance import CI
from tests.support.sigstore_instance import GITHUB
from tests.support.sigstore_instance import SIGNED_AT
from tests.support.sigstore_instance import SigstoreInstance

NAME = "alice/app"

JsonObject: t.TypeAlias = dict[str, t.Any]

CHAIN = (
    "its certificate is not by an authority of the trusted root, or was not valid at"
    " the signed time"
)
MATCH = "and no signer has this identity and its issuer"


@pytest.fixture
def sigstore() -> SigstoreInstance:
    return SigstoreInstance()


@pytest.fixture
def root(tmp_path: Path, sigstore: SigstoreInstance) -> Path:
    """The file with the trusted root of the instance."""
    path = tmp_path / "trusted_root.json"
    path.write_bytes(sigstore.trusted_root())
    return path


@pytest.fixture
def app(make_app: MakeApp, root: Path) -> Flask:
    return make_app(OCI_SIGSTORE_ROOT=str(root))


@pytest.fixture
def image(app: Flask, alice: RegistryClient) -> Image:
    """An image in a repository that trusts a workflow."""
    image = alice.push(NAME, "v1", make_image())
    with app.app_context():
        trust = registry.trusted_signers.add
        trust("ci", identity=CI, issuer=GITHUB, repository=NAME)
    return image


def attach(alice: RegistryClient, bundle: JsonObject, image: Image) -> Image:
    return alice.push(NAME, None, attached(bundle, image))


def signatures(app: Flask, image: Image) -> dict[str, str]:
    """Return the signer or the reason of each signature of an image."""
    with app.app_context():
        repository = registry.repositories.find(NAME)
        found = services().signatures.of(repository, [image.digest])
    return {each.digest: each.signer or each.reason for each in found}


def test_image_signed_by_trusted_identity_meets_policy(
    app: Flask, alice: RegistryClient, image: Image, sigstore: SigstoreInstance
) -> None:
    with app.app_context():
        registry.image_policies.set(["require signature by ci"], repository=NAME)
    refused = alice.get(f"/v2/{NAME}/manifests/v1")
    assert refused.status_code == 403
    assert "it has no verified signature by ci" in refused.text
    attach(alice, sigstore.bundle(make_image().digest), image)
    assert alice.get(f"/v2/{NAME}/manifests/v1").status_code == 403
    attach(alice, sigstore.bundle(image.digest), image)
    assert alice.get(f"/v2/{NAME}/manifests/v1").status_code == 200


def test_signature_by_other_identity_or_without_proof_is_not_verified(
    app: Flask, alice: RegistryClient, image: Image, sigstore: SigstoreInstance
) -> None:
    """Each bundle differs in one part from one that is verified."""
    key, rogue, other = Key(), SigstoreInstance(), make_image()
    hour, digest = timedelta(hours=1), image.digest

    def by(
        *identity: str,
        at: datetime = SIGNED_AT,
        of: SigstoreInstance = sigstore,
        **more: t.Any,
    ) -> JsonObject:
        certificate = of.certificate(key, *identity, **more)
        return of.bundle(digest, key=key, certificate=certificate, at=at)

    def changed(change: t.Callable[[JsonObject, JsonObject], object]) -> JsonObject:
        """Return a verified bundle after a change of its log entry."""
        bundle = deepcopy(by())
        change(bundle, bundle["verificationMaterial"]["tlogEntries"][0])
        return bundle

    rogue_authority = SigstoreInstance(
        rogue.root, rogue.issuing, sigstore.certificate_log, sigstore.signature_log
    )
    rogue_certificate_log = SigstoreInstance(
        sigstore.root, sigstore.issuing, rogue.certificate_log, sigstore.signature_log
    )
    of_other = sigstore.bundle(other.digest)
    entry_of_other = of_other["verificationMaterial"]["tlogEntries"][0]
    fork, mail = CI.replace("main", "fork"), "release@example.org"
    client = [ExtendedKeyUsageOID.CLIENT_AUTH]
    later = str(int(SIGNED_AT.timestamp()) + 1)
    cases: list[tuple[JsonObject, str]] = [
        (by(), "ci"),
        (by(fork), f"its certificate is for {fork}, {MATCH}"),
        (by(mail), f"its certificate is for {mail}, {MATCH}"),
        (by(CI, "https://issuer.example"), f"its certificate is for {CI}, {MATCH}"),
        (by(at=SIGNED_AT + hour), CHAIN),
        (by(at=SIGNED_AT - hour), CHAIN),
        (by(of=rogue), CHAIN),
        (by(of=rogue_authority), CHAIN),
        (by(uses=client), "Extended usage does not contain `code signing`"),
        (by(is_logged=False), "does not contain a signed certificate timestamp"),
        (by(of=rogue_certificate_log), "SCT verify failed: keyring: invalid"),
        (sigstore.bundle(digest, log=rogue), "checkpoint: invalid signature"),
        (
            sigstore.bundle(digest, certificate=sigstore.certificate(key)),
            "DSSE: invalid signature",
        ),
        (of_other, "it is for another digest"),
        (
            changed(lambda b, _: b.update(dsseEnvelope=of_other["dsseEnvelope"])),
            "DSSE: invalid signature",
        ),
        (
            changed(lambda _, entry: entry.update(entry_of_other)),
            "log entry payload hash does not match bundle",
        ),
        (
            changed(lambda _, entry: entry["inclusionProof"].update(hashes=[])),
            "inclusion proof has wrong size",
        ),
        (
            changed(lambda _, entry: entry.pop("inclusionPromise")),
            "must contain an inclusion promise",
        ),
        (
            changed(lambda _, entry: entry.update(integratedTime=later)),
            "invalid inclusion promise: keyring: invalid signature",
        ),
        (
            changed(lambda b, _: b["verificationMaterial"].update(tlogEntries=[])),
            "expected exactly one log entry",
        ),
        (changed(lambda b, _: b.update(more="x")), "failed to load bundle"),
        (changed(lambda _, entry: entry.update(logIndex="x")), "failed to load"),
    ]
    pushed = [(attach(alice, bundle, image), said) for bundle, said in cases]
    found = signatures(app, image)
    wrong = {
        each.digest: said for each, said in pushed if said not in found[each.digest]
    }
    assert {digest: found[digest] for digest in wrong} == wrong
    assert list(found.values()).count("ci") == 1


def test_attestation_by_trusted_identity_is_no_signature(
    app: Flask, alice: RegistryClient, image: Image, sigstore: SigstoreInstance
) -> None:
    provenance = "https://slsa.dev/provenance/v1"
    attach(alice, sigstore.bundle(image.digest, predicate=provenance), image)
    assert signatures(app, image) == {}


def test_change_of_trusted_root_is_followed(
    app: Flask,
    alice: RegistryClient,
    image: Image,
    sigstore: SigstoreInstance,
    root: Path,
) -> None:
    """A log whose key was stolen is removed from the root, without a restart."""
    attach(alice, sigstore.bundle(image.digest), image)

    def said_after(content: bytes) -> str:
        root.write_bytes(content)
        app.test_cli_runner().invoke(args=["oci", "trust", "verify"])
        (said,) = signatures(app, image).values()
        return said

    unusable = "the trusted root of Sigstore cannot be used"
    assert said_after(b"{}") == unusable
    assert said_after(sigstore.trusted_root()) == "ci"
    assert said_after(SigstoreInstance().trusted_root()) == CHAIN
    root.unlink()
    app.test_cli_runner().invoke(args=["oci", "trust", "verify"])
    assert list(signatures(app, image).values()) == [unusable]
