"""A timestamp authority (RFC 3161) of a Sigstore instance of the test, by OpenSSL."""

from __future__ import annotations

import base64
import subprocess
import typing as t
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.forge import tool

from . import signing
from .signing import Key

if t.TYPE_CHECKING:
    from .sigstore_instance import SigstoreInstance

_CONFIG = """
[tsa]
default_tsa = own
[own]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


class TimestampAuthority:
    """It signs the present time.

    :param folder: an empty folder for its files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root, self._key = Key(), Key()
        self.chain = [self._certificate("tsa"), self._certificate("tsa root")]
        folder.mkdir()
        (folder / "config").write_text(_CONFIG)
        (folder / "certificate").write_text(signing.pem_of(self.chain[0]))
        (folder / "key").write_bytes(
            self._key.private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    def sign(self, content: bytes) -> bytes:
        """Return the response with a timestamp of some bytes."""
        (self._folder / "content").write_bytes(content)
        self._run("-query", "-data", "content", "-sha256", "-cert", "-out", "query")
        self._run(
            *("-reply", "-queryfile", "query", "-config", "config", "-section", "own"),
            *("-signer", "certificate", "-inkey", "key", "-out", "response"),
        )
        return (self._folder / "response").read_bytes()

    def _run(self, *arguments: str) -> None:
        program = tool("openssl", "Debian's openssl")
        done = subprocess.run(
            [program, "ts", *arguments],
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def _certificate(self, name: t.Literal["tsa", "tsa root"]) -> x509.Certificate:
        is_root, now = name == "tsa root", datetime.now(timezone.utc)
        key = self._root if is_root else self._key
        public = key.private.public_key()
        parent = self._root.private.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(signing._name(name))
            .issuer_name(signing._name("tsa root"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(is_root, None), critical=True)
            .add_extension(signing._usage(is_root), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(public), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(parent),
                critical=False,
            )
        )
        if not is_root:
            uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
            builder = builder.add_extension(uses, critical=True)
        return builder.sign(self._root.private, hashes.SHA256())


def stamped(
    bundle: dict[str, t.Any],
    authority: TimestampAuthority,
    log: SigstoreInstance | None = None,
) -> dict[str, t.Any]:
    """Return a bundle with a timestamp of its signature.

    :param log: the instance whose log of version 2 has it, instead of the log of
        version 1 that is in the bundle.
    """
    envelope, material = bundle["dsseEnvelope"], dict(bundle["verificationMaterial"])
    if log is not None:
        der = base64.b64decode(material["certificate"]["rawBytes"])
        certificate = x509.load_der_x509_certificate(der)
        material["tlogEntries"] = [log.entry_2(envelope, certificate)]
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    response = base64.b64encode(authority.sign(signature)).decode()
    material["timestampVerificationData"] = {
        "rfc3161Timestamps": [{"signedTimestamp": response}]
    }
    return {**bundle, "verificationMaterial": material}
