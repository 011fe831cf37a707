"""A Sigstore instance of the test: its certificate authority, its log of certificates
and its log of signatures."""

from __future__ import annotations

import base64
import hashlib
import struct
import typing as t
from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from datetime import timedelta
from datetime import timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization import PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.oid import ObjectIdentifier

from flask_oci.testing import Image
from flask_oci.testing import manifests

from . import encodings
from . import signing
from .signing import Key

#: The issuers of an identity in a certificate of Fulcio: the older extension has bare
#: text, the newer one a DER string (fulcio/docs/oid-info.md).
_ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")

_ROOT = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_ECDSA = "PKIX_ECDSA_P256_SHA_256"

#: When the instance began, and when its images are signed.
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
SIGNED_AT = datetime(2026, 3, 1, 10, 5, tzinfo=timezone.utc)

CI = "https://github.com/acme/website/.github/workflows/release.yml@refs/heads/main"
GITHUB = "https://token.actions.githubusercontent.com"


@dataclass
class SigstoreInstance:
    """Its keys. An attacker has an instance with other keys."""

    root: Key = field(default_factory=Key)
    issuing: Key = field(default_factory=Key)
    certificate_log: Key = field(default_factory=Key)
    signature_log: Key = field(default_factory=Key)

    def trusted_root(self, tsa: t.Sequence[x509.Certificate] = ()) -> bytes:
        """Return the file that an operator gives to verifiers.

        :param tsa: the certificates of its timestamp authority, the root last.
        """
        chain = [self._authority("issuing"), self._authority("root")]
        return signing.encoded(
            {
                "mediaType": _ROOT,
                "tlogs": [_log(self.signature_log, "https://rekor.example.org")],
                "certificateAuthorities": [_authority("fulcio", chain)],
                "ctlogs": [_log(self.certificate_log, "https://ct.example.org")],
                "timestampAuthorities": [_authority("tsa", tsa)] if tsa else [],
            }
        )

    def certificate(
        self,
        key: Key,
        identity: str = CI,
        issuer: str = GITHUB,
        *,
        begin: datetime = SIGNED_AT - timedelta(minutes=5),
        is_logged: bool = True,
        uses: t.Sequence[ObjectIdentifier] = (ExtendedKeyUsageOID.CODE_SIGNING,),
    ) -> x509.Certificate:
        """Return a certificate for ten minutes.

        :param key: the key of the job, which is used once.
        :param is_logged: whether the log of certificates has signed a timestamp.
        """
        name: x509.GeneralName = x509.UniformResourceIdentifier(identity)
        if "://" not in identity:
            name = x509.RFC822Name(identity)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(signing._name("issuing"))
            .public_key(key.private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(minutes=10))
            .add_extension(signing._usage(False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.private.public_key()),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self.issuing.private.public_key()
                ),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName([name]), critical=True)
            .add_extension(
                x509.UnrecognizedExtension(_ISSUER, issuer.encode()), critical=False
            )
            .add_extension(
                x509.UnrecognizedExtension(_ISSUER_V2, encodings.utf8_string(issuer)),
                critical=False,
            )
        )
        unlogged = builder.sign(self.issuing.private, hashes.SHA256())
        if not is_logged:
            return unlogged
        timestamps = self._timestamps(unlogged.tbs_certificate_bytes, begin)
        return builder.add_extension(
            x509.UnrecognizedExtension(_SCT_LIST, timestamps), critical=False
        ).sign(self.issuing.private, hashes.SHA256())

    def entry(
        self,
        envelope: dict[str, t.Any],
        certificate: x509.Certificate,
        at: datetime = SIGNED_AT,
    ) -> dict[str, t.Any]:
        """Return the entry of the log of signatures (Rekor, ``dsse`` 0.0.1): the
        second one, with the proof that it is in the log, and its signed time."""
        payload = base64.b64decode(envelope["payload"])
        pem = certificate.public_bytes(Encoding.PEM)
        body = encodings.canonical(
            {
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": {
                    "envelopeHash": encodings.sha256_value(signing.encoded(envelope)),
                    "payloadHash": encodings.sha256_value(payload),
                    "signatures": [
                        {"signature": each["sig"], "verifier": encodings.in_base64(pem)}
                        for each in envelope["signatures"]
                    ],
                },
            }
        )
        entry = self._logged(body, "dsse", "0.0.1")
        seconds = int(at.timestamp())
        promise = encodings.canonical(
            {
                "body": encodings.in_base64(body),
                "integratedTime": seconds,
                "logID": _log_id(self.signature_log).hex(),
                "logIndex": 1,
            }
        )
        entry["integratedTime"] = str(seconds)
        entry["inclusionPromise"] = {
            "signedEntryTimestamp": encodings.in_base64(
                self.signature_log.sign(promise)
            )
        }
        return entry

    def entry_2(
        self, envelope: dict[str, t.Any], certificate: x509.Certificate
    ) -> dict[str, t.Any]:
        """Return the entry of a log of version 2, which signs no time (Rekor,
        ``hashedrekord`` 0.0.2)."""
        payload = base64.b64decode(envelope["payload"])
        signed = hashlib.sha256(signing.encoding(payload)).digest()
        (signature,) = envelope["signatures"]
        body = encodings.canonical(
            {
                "apiVersion": "0.0.2",
                "kind": "hashedrekord",
                "spec": {
                    "hashedRekordV002": {
                        "data": {
                            "algorithm": "SHA2_256",
                            "digest": encodings.in_base64(signed),
                        },
                        "signature": {
                            "content": signature["sig"],
                            "verifier": {
                                "keyDetails": _ECDSA,
                                "x509Certificate": {
                                    "rawBytes": encodings.in_base64(_der(certificate))
                                },
                            },
                        },
                    }
                },
            }
        )
        return self._logged(body, "hashedrekord", "0.0.2")

    def _logged(self, body: bytes, kind: str, version: str) -> dict[str, t.Any]:
        """Return the second entry of the log, with the proof that it is there."""
        other = hashlib.sha256(b"\0another entry").digest()
        leaf = hashlib.sha256(b"\0" + body).digest()
        root = hashlib.sha256(b"\1" + other + leaf).digest()
        return {
            "logIndex": "1",
            "logId": {"keyId": encodings.in_base64(_log_id(self.signature_log))},
            "kindVersion": {"kind": kind, "version": version},
            "inclusionProof": {
                "logIndex": "1",
                "rootHash": encodings.in_base64(root),
                "treeSize": "2",
                "hashes": [encodings.in_base64(other)],
                "checkpoint": {"envelope": self._checkpoint(root)},
            },
            "canonicalizedBody": encodings.in_base64(body),
        }

    def bundle(
        self,
        digest: str,
        *,
        key: Key | None = None,
        certificate: x509.Certificate | None = None,
        predicate: str = signing.SIGN,
        at: datetime = SIGNED_AT,
        log: SigstoreInstance | None = None,
    ) -> dict[str, t.Any]:
        """Return the bundle of a signature of an image.

        :param digest: the signed digest.
        :param at: when it is logged.
        :param log: the instance whose log of signatures has it, if not this one.
        """
        key = key or Key()
        certificate = certificate or self.certificate(key)
        envelope = signing.envelope(key, digest, predicate)
        return {
            "mediaType": signing.BUNDLE,
            "verificationMaterial": {
                "certificate": {"rawBytes": encodings.in_base64(_der(certificate))},
                "tlogEntries": [(log or self).entry(envelope, certificate, at)],
                "timestampVerificationData": {"rfc3161Timestamps": []},
            },
            "dsseEnvelope": envelope,
        }

    def _authority(self, name: t.Literal["root", "issuing"]) -> x509.Certificate:
        key = getattr(self, name)
        builder = (
            x509.CertificateBuilder()
            .subject_name(signing._name(name))
            .issuer_name(signing._name("root"))
            .public_key(key.private.public_key())
            .serial_number(1 if name == "root" else 2)
            .not_valid_before(BEGIN)
            .not_valid_after(BEGIN + timedelta(days=3650))
            .add_extension(
                x509.BasicConstraints(True, 1 if name == "root" else 0), critical=True
            )
            .add_extension(signing._usage(True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.private.public_key()),
                critical=False,
            )
        )
        if name == "issuing":
            uses = [ExtendedKeyUsageOID.CODE_SIGNING]
            parent = x509.AuthorityKeyIdentifier.from_issuer_public_key(
                self.root.private.public_key()
            )
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            builder = builder.add_extension(parent, critical=False)
        return builder.sign(self.root.private, hashes.SHA256())

    def _timestamps(self, certificate: bytes, at: datetime) -> bytes:
        """Return the list of one signed timestamp of a certificate (RFC 6962, 3.2)."""
        issuer = hashlib.sha256(_spki(self.issuing)).digest()
        milliseconds = int(at.timestamp()) * 1000
        entry = issuer + struct.pack("!I", len(certificate))[1:] + certificate
        signature = self.certificate_log.sign(
            struct.pack("!BBQH", 0, 0, milliseconds, 1) + entry + b"\0\0"
        )
        timestamp = b"\0" + _log_id(self.certificate_log)
        timestamp += struct.pack("!QH", milliseconds, 0) + b"\4\3"
        timestamp += struct.pack("!H", len(signature)) + signature
        content = struct.pack("!HH", len(timestamp) + 2, len(timestamp)) + timestamp
        return b"\4" + encodings.length(content) + content

    def _checkpoint(self, root: bytes) -> str:
        """Return the signed state of the log (transparency-dev/formats, "note")."""
        origin = "rekor.example.org"
        note = f"{origin} - 1\n2\n{encodings.in_base64(root)}\n"
        signature = self.signature_log.sign(note.encode())
        hint = _log_id(self.signature_log)[:4]
        return f"{note}\n\u2014 {origin} {encodings.in_base64(hint + signature)}\n"


def attached(bundle: dict[str, t.Any], subject: Image) -> Image:
    """Return the artifact with a bundle, as cosign 3 attaches it to an image."""
    content = signing.encoded(bundle)
    layer = manifests.descriptor(content, signing.BUNDLE)
    return signing.artifact(layer, content, signing.BUNDLE, subject)


def _authority(name: str, chain: t.Sequence[x509.Certificate]) -> dict[str, t.Any]:
    return {
        "subject": {"organization": "Acme", "commonName": name},
        "uri": f"https://{name}.example.org",
        "certChain": {
            "certificates": [
                {"rawBytes": encodings.in_base64(_der(each))} for each in chain
            ]
        },
        "validFor": {"start": BEGIN.isoformat()},
    }


def _log(key: Key, url: str) -> dict[str, t.Any]:
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": encodings.in_base64(_spki(key)),
            "keyDetails": _ECDSA,
            "validFor": {"start": BEGIN.isoformat()},
        },
        "logId": {"keyId": encodings.in_base64(_log_id(key))},
    }


def _log_id(key: Key) -> bytes:
    return hashlib.sha256(_spki(key)).digest()


def _spki(key: Key) -> bytes:
    public = key.private.public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
