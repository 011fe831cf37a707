"""Trusted signers: public keys, certificates and identities."""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

SignerKind = t.Literal["key", "certificate", "identity"]

SIGNER_KINDS: t.Final[tuple[SignerKind, ...]] = t.get_args(SignerKind)

#: The name of a signer, as policies write it: ``release`` or ``release@example.org``.
NAME: t.Final = r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}"

#: The maximum length of a PEM text or an identity, in characters.
MAX_VALUE: t.Final = 8192

#: The smallest RSA key, in bits.
MIN_RSA: t.Final = 2048

_NAME = re.compile(NAME, re.ASCII)


@dataclass(frozen=True, slots=True)
class Signer:
    """A signer that a user trusts."""

    name: str
    kind: SignerKind
    value: str
    """The public key or the certificate in PEM, or the identity in a certificate of
    Sigstore: an e-mail address or a URL."""

    issuer: str = ""
    """The issuer of the identity, such as
    ``https://token.actions.githubusercontent.com``; empty for other kinds."""

    @property
    def fingerprint(self) -> str:
        """The identifier of the key, the certificate or the identity. Facts refer to
        it, so that they end with the trust in it."""
        content = "\n".join((self.kind, self.value, self.issuer))
        return hashlib.sha256(content.encode()).hexdigest()


def parse_signer(name: str, kind: str, value: str, issuer: str = "") -> Signer:
    """Return a signer, with its key or certificate in the usual form.

    :param name: the name by which policies refer to it.
    :param kind: ``key``, ``certificate`` or ``identity``.
    :param value: the PEM text, or the identity.
    :param issuer: the URL of the issuer of the identity.
    :raises ValueError: if a value is invalid.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"Invalid name {name!r} of a signer: use up to 100 letters, digits and"
            " '._@+-', such as release@example.org."
        )
    value, issuer = value.strip(), issuer.strip()
    if len(value) > MAX_VALUE or len(issuer) > 1024:
        raise ValueError("The value of a signer is too long.")
    if kind == "identity":
        return _identity(name, value, issuer)
    if issuer:
        raise ValueError("Only an identity has an issuer.")
    if kind == "key":
        return Signer(name, "key", _key_text(value))
    if kind == "certificate":
        return Signer(name, "certificate", _certificate_text(value))
    raise ValueError(f"Invalid kind {kind!r}: use one of {', '.join(SIGNER_KINDS)}.")


def _identity(name: str, value: str, issuer: str) -> Signer:
    is_plain = bool(value) and value.isprintable() and issuer.isprintable()
    if not is_plain or not issuer.startswith("https://"):
        raise ValueError(
            "An identity is an e-mail address or a URL, with the URL of its issuer,"
            " such as https://token.actions.githubusercontent.com."
        )
    return Signer(name, "identity", value, issuer)


def _key_text(value: str) -> str:
    from cryptography.hazmat.primitives import serialization

    key = load_key(value)
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def _certificate_text(value: str) -> str:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        found = x509.load_pem_x509_certificates(value.encode())
    except ValueError:
        found = []
    if len(found) != 1:
        raise ValueError("Give one certificate in PEM: '-----BEGIN CERTIFICATE-----'.")
    try:
        check_key(found[0].public_key())
    except UnsupportedAlgorithm:
        raise ValueError(_KEY_TYPES) from None
    return found[0].public_bytes(serialization.Encoding.PEM).decode()


def load_key(value: str) -> PublicKeyTypes:
    """Return a public key.

    :param value: the key in PEM.
    :raises ValueError: if it is invalid, too short or of an unsupported type.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_public_key(value.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(
            "Give a public key in PEM: '-----BEGIN PUBLIC KEY-----', as in cosign.pub."
        ) from None
    check_key(key)
    return key


def check_key(key: PublicKeyTypes) -> None:
    """Check that a key has a supported type and length.

    :raises ValueError: if it does not.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.asymmetric import rsa

    if isinstance(key, rsa.RSAPublicKey) and MIN_RSA <= key.key_size <= 8192:
        return
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return
    if isinstance(key, ed25519.Ed25519PublicKey):
        return
    raise ValueError(_KEY_TYPES)


_KEY_TYPES: t.Final = (
    f"Use a key of the type ECDSA (P-256, P-384, P-521), Ed25519, or RSA of {MIN_RSA}"
    " to 8192 bits."
)

_CURVES: t.Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})
