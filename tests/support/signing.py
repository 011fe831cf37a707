"""Signatures of images, as cosign and Notation make them, with keys of the test."""

from __future__ import annotations

import base64
import json
import typing as t
from datetime import datetime
from datetime import timedelta
from datetime import timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from flask_oci.testing import Image
from flask_oci.testing import images
from flask_oci.testing import manifests

SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
NOTATION = "application/vnd.cncf.notary.signature"
COSIGN = "cosign container image signature"
SIGN = "https://sigstore.dev/cosign/sign/v1"
STATEMENT = "application/vnd.in-toto+json"


class Key:
    """A key pair of a signer."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())

    @property
    def pem(self) -> str:
        """The public key."""
        return (
            self.private.public_key()
            .public_bytes(
                serialization.Encoding.PEM,
                serialization.PublicFormat.SubjectPublicKeyInfo,
            )
            .decode()
        )

    def sign(self, message: bytes) -> bytes:
        """Return a signature in DER."""
        return self.private.sign(message, ec.ECDSA(hashes.SHA256()))


def cosign_tag(digest: str) -> str:
    """Return the tag of the signatures of an image."""
    return digest.replace(":", "-") + ".sig"


def simple_signing(
    key: Key,
    digest: str,
    name: str = "",
    kind: str = "cosign container image signature",
) -> Image:
    """Return the artifact that cosign attaches by a tag."""
    critical = {
        "identity": {"docker-reference": name},
        "image": {"docker-manifest-digest": digest},
        "type": kind,
    }
    payload = encoded({"critical": critical, "optional": None})
    signature = base64.b64encode(key.sign(payload)).decode()
    layer = manifests.descriptor(payload, SIMPLE)
    layer["annotations"] = {"dev.cosignproject.cosign/signature": signature}
    return artifact(layer, payload)


def bundle(
    key: Key, digest: str, subject: Image | None = None, predicate: str = SIGN
) -> Image:
    """Return the artifact that cosign 3 attaches as a referrer.

    :param digest: the signed digest.
    :param subject: the image that it is attached to.
    """
    content = encoded(
        {
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": "release"}},
            "dsseEnvelope": envelope(key, digest, predicate),
        }
    )
    return artifact(manifests.descriptor(content, BUNDLE), content, BUNDLE, subject)


def envelope(key: Key, digest: str, predicate: str = SIGN) -> dict[str, t.Any]:
    """Return a signed statement about an image (DSSE)."""
    algorithm, _, value = digest.partition(":")
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "", "digest": {algorithm: value}}],
        "predicateType": predicate,
        "predicate": {},
    }
    payload = encoded(statement)
    message = encoding(payload)
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": STATEMENT,
        "signatures": [{"sig": base64.b64encode(key.sign(message)).decode()}],
    }


def encoding(payload: bytes) -> bytes:
    """Return the signed bytes of a statement (DSSE, "PAE")."""
    kind = STATEMENT.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def certificate(
    key: Key,
    issuer: tuple[str, Key] | None = None,
    name: str = "release",
    *,
    ca: bool = False,
    days: int = 30,
    more: t.Sequence[x509.ExtensionType] = (),
) -> x509.Certificate:
    """Return a certificate, by itself or by an issuer.

    :param more: further extensions.
    """
    now = datetime.now(timezone.utc)
    by, signing = issuer or (name, key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(by))
        .public_key(key.private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(_usage(ca), critical=True)
    )
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signing.private, hashes.SHA256())


def pem_of(cert: x509.Certificate) -> str:
    """Return a certificate in PEM."""
    return cert.public_bytes(serialization.Encoding.PEM).decode()


def notation(
    key: Key,
    chain: t.Sequence[x509.Certificate],
    digest: str,
    subject: Image | None = None,
    **header: t.Any,
) -> Image:
    """Return the artifact that Notation attaches.

    :param header: changes of the protected header.
    """
    protected = {
        "alg": "ES256",
        "cty": "application/vnd.cncf.notary.payload.v1+json",
        "crit": ["io.cncf.notary.signingScheme"],
        "io.cncf.notary.signingScheme": "notary.x509",
        "io.cncf.notary.signingTime": "2026-01-01T00:00:00Z",
        **header,
    }
    payload = {"targetArtifact": {"digest": digest, "size": 1, "mediaType": "a/b"}}
    parts = [_url(encoded(protected)), _url(encoded(payload))]
    r, s = decode_dss_signature(key.sign(".".join(parts).encode()))
    content = encoded(
        {
            "protected": parts[0],
            "payload": parts[1],
            "header": {
                "x5c": [
                    base64.b64encode(
                        cert.public_bytes(serialization.Encoding.DER)
                    ).decode()
                    for cert in chain
                ]
            },
            "signature": _url(r.to_bytes(32, "big") + s.to_bytes(32, "big")),
        }
    )
    layer = manifests.descriptor(content, "application/jose+json")
    return artifact(layer, content, NOTATION, subject)


def artifact(
    layer: dict[str, t.Any],
    content: bytes,
    artifact_type: str | None = None,
    subject: Image | None = None,
) -> Image:
    """Return an artifact with one file, attached to an image if one is given."""
    fields: dict[str, t.Any] = {}
    if artifact_type:
        fields["artifactType"] = artifact_type
    if subject is not None:
        fields["subject"] = subject.descriptor()
    config = manifests.descriptor(b"{}", "application/vnd.oci.empty.v1+json")
    manifest = manifests.image(layer, config=config, **fields)
    return images._whole(manifest, [b"{}", content])


def encoded(value: t.Any) -> bytes:
    """Return JSON."""
    return json.dumps(value).encode()


def _url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
