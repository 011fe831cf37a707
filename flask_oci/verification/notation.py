"""Signatures of Notation: a descriptor in a JSON Web Signature with a certificate chain
(Notary Project, "OCI Signature Envelope: JWS")."""

from __future__ import annotations

import typing as t

from ..clock import utcnow
from ..spec.rfc3339 import parse_time
from .base import check_subject
from .base import decoded
from .base import mapping
from .base import NO_SIGNER
from .base import NotVerified
from .base import Outcome
from .base import signed_object
from .base import SignedFile
from .base import verified_by

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography.x509 import Certificate

    from .signers import Signer

JWS: t.Final = "application/jose+json"
COSE: t.Final = "application/cose"
_PAYLOAD: t.Final = "application/vnd.cncf.notary.payload.v1+json"
_SCHEME: t.Final = "io.cncf.notary.signingScheme"
_EXPIRY: t.Final = "io.cncf.notary.expiry"

#: The protected headers that this module understands; others in "crit" are refused.
_KNOWN: t.Final = frozenset({_SCHEME, _EXPIRY})

#: The maximum number of certificates of a chain.
MAX_CHAIN: t.Final = 8


def verify(
    file: SignedFile, subject: str, signers: Sequence[Signer], root: str | None
) -> Outcome | None:
    """Return the result for a signature of Notation, or None if the file is none."""
    if file.media_type == COSE:
        return Outcome("notation", reason="COSE is not supported; sign with JWS")
    if file.media_type != JWS:
        return None
    try:
        return _verify(file.content, subject, signers)
    except NotVerified as error:
        return Outcome("notation", reason=str(error))


def _verify(content: bytes, subject: str, signers: Sequence[Signer]) -> Outcome:
    fields = signed_object(content)
    protected = signed_object(decoded(fields.get("protected"), "header", url=True))
    chain = _chain(mapping(fields.get("header")).get("x5c"))
    now = utcnow()
    signer = _trusted(chain, signers, now)
    message = f"{fields.get('protected')}.{fields.get('payload')}".encode()
    _check_signature(
        chain[0],
        protected.get("alg"),
        decoded(fields.get("signature"), "signature", url=True),
        message,
    )
    expires_at = _check_header(protected, now)
    payload = signed_object(decoded(fields.get("payload"), "payload", url=True))
    check_subject(mapping(payload.get("targetArtifact")).get("digest"), subject)
    ends = [cert.not_valid_after_utc for cert in chain]
    return verified_by(
        "notation", signer, expires_at=min([*ends, *filter(None, [expires_at])])
    )


def _chain(value: object) -> list[Certificate]:
    from cryptography import x509

    if not isinstance(value, list) or not 0 < len(value) <= MAX_CHAIN:
        raise NotVerified("it has no certificate chain")
    try:
        return [
            x509.load_der_x509_certificate(decoded(each, "certificate"))
            for each in value
        ]
    except ValueError:
        raise NotVerified("its certificate chain is invalid") from None


def _trusted(
    chain: Sequence[Certificate], signers: Sequence[Signer], now: datetime
) -> Signer:
    """Return the signer whose certificate is in the chain, each certificate of which
    the next one signed."""
    from cryptography import x509

    trusted = {
        x509.load_pem_x509_certificate(each.value.encode()): each
        for each in signers
        if each.kind == "certificate"
    }
    for position, cert in enumerate(chain):
        if not cert.not_valid_before_utc <= now <= cert.not_valid_after_utc:
            raise NotVerified("a certificate of its chain has expired")
        if position:
            _check_issued(chain[position - 1], cert, position)
        else:
            _check_leaf(cert)
        if cert in trusted:
            return trusted[cert]
    raise NotVerified(NO_SIGNER)


def _check_issued(cert: Certificate, issuer: Certificate, depth: int) -> None:
    """Check that an authority issued a certificate.

    :param depth: the number of certificates below the issuer.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    try:
        cert.verify_directly_issued_by(issuer)
        limits = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        raise NotVerified("its certificate chain is invalid") from None
    length = limits.path_length
    if not limits.ca or not usage.key_cert_sign:
        raise NotVerified("its certificate chain is invalid")
    if length is not None and depth - 1 > length:
        raise NotVerified("its certificate chain is invalid")


def _check_leaf(cert: Certificate) -> None:
    from cryptography import x509

    try:
        usage = cert.extensions.get_extension_for_class(x509.KeyUsage).value
        is_for_signatures = usage.digital_signature
    except (x509.ExtensionNotFound, ValueError):
        is_for_signatures = False
    if not is_for_signatures or not _is_for_code(cert):
        raise NotVerified("its certificate is not for signatures")


def _is_for_code(cert: Certificate) -> bool:
    """Return True if a certificate is for signatures of code, or for any use. An
    authority may also issue certificates for servers and for e-mail (Notary Project,
    "Signature Specification", "Certificate Requirements")."""
    from cryptography import x509

    try:
        uses = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return list(uses) == [x509.oid.ExtendedKeyUsageOID.CODE_SIGNING]


def _check_signature(
    cert: Certificate, algorithm: object, signature: bytes, message: bytes
) -> None:
    """Check a signature. The key decides the algorithm, and the header has to agree
    (RFC 7518, section 3.1)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    key = cert.public_key()
    by_size = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}
    try:
        if isinstance(key, rsa.RSAPublicKey):
            bits = {2048: 256, 3072: 384, 4096: 512}.get(key.key_size, 0)
            if not bits or algorithm != f"PS{bits}":
                raise NotVerified("its algorithm is not that of its key")
            chosen = by_size[bits]
            scheme = padding.PSS(padding.MGF1(chosen), chosen.digest_size)
            key.verify(signature, message, scheme, chosen)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            bits = {256: 256, 384: 384, 521: 512}.get(key.curve.key_size, 0)
            if not bits or algorithm != f"ES{bits}":
                raise NotVerified("its algorithm is not that of its key")
            size = (key.curve.key_size + 7) // 8
            if len(signature) != 2 * size:
                raise NotVerified("its signature is invalid")
            r, s = signature[:size], signature[size:]
            der = encode_dss_signature(
                int.from_bytes(r, "big"), int.from_bytes(s, "big")
            )
            key.verify(der, message, ec.ECDSA(by_size[bits]))
        else:
            raise NotVerified("its algorithm is not that of its key")
    except InvalidSignature:
        raise NotVerified("its signature is invalid") from None


def _check_header(protected: dict[str, t.Any], now: datetime) -> datetime | None:
    """Check the protected header, and return the time at which the signature
    expires."""
    critical = protected.get("crit")
    if not isinstance(critical, list) or not all(
        isinstance(name, str) and name in _KNOWN for name in critical
    ):
        raise NotVerified("its header has an unknown critical entry")
    if protected.get("cty") != _PAYLOAD or protected.get(_SCHEME) != "notary.x509":
        raise NotVerified("it is not a signature of the scheme notary.x509")
    text = protected.get(_EXPIRY)
    if text is None:
        return None
    expires_at = parse_time(text)
    if expires_at is None:
        raise NotVerified("its time of expiry is invalid")
    if expires_at <= now:
        raise NotVerified("it has expired")
    return expires_at
