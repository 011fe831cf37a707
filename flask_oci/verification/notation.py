"""Signatures of Notation: a descriptor that is signed with a certificate chain (Notary
Project, "OCI Signature Specification")."""

from __future__ import annotations

import typing as t
from datetime import datetime

from ..clock import utcnow
from .base import check_subject
from .base import mapping
from .base import NotVerified
from .base import Outcome
from .base import signed_object
from .base import SignedFile
from .base import verified_by
from .certificates import parse_chain
from .certificates import trusted_signer
from .envelopes import EXPIRY
from .envelopes import read_cose
from .envelopes import read_jws
from .envelopes import SCHEME

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    from cryptography.x509 import Certificate

    from .envelopes import Envelope
    from .signers import Signer

_READERS: t.Final[dict[str, Callable[[bytes], Envelope]]] = {
    "application/jose+json": read_jws,
    "application/cose": read_cose,
}

_PAYLOAD: t.Final = "application/vnd.cncf.notary.payload.v1+json"

#: The protected headers that this module understands, and that may be critical.
_KNOWN: t.Final = frozenset({SCHEME, EXPIRY})


def verify(
    file: SignedFile, subject: str, signers: Sequence[Signer], root: str | None
) -> Outcome | None:
    """Return the result for a signature of Notation, or None if the file is none."""
    read = _READERS.get(file.media_type)
    if read is None:
        return None
    try:
        return _verify(read(file.content), subject, signers)
    except NotVerified as error:
        return Outcome("notation", reason=str(error))


def _verify(envelope: Envelope, subject: str, signers: Sequence[Signer]) -> Outcome:
    chain, now = parse_chain(envelope.chain), utcnow()
    signer = trusted_signer(chain, signers, now)
    _check_signature(chain[0], envelope)
    _check_header(envelope, now)
    payload = signed_object(envelope.payload)
    check_subject(mapping(payload.get("targetArtifact")).get("digest"), subject)
    ends = [cert.not_valid_after_utc for cert in chain]
    if envelope.expires_at is not None:
        ends.append(envelope.expires_at)
    return verified_by("notation", signer, expires_at=min(ends))


def _check_signature(cert: Certificate, envelope: Envelope) -> None:
    """Check a signature. The key decides the algorithm, and the header has to agree
    (RFC 7518, section 3.1; RFC 9053, section 2)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    key, algorithm = cert.public_key(), envelope.algorithm
    signature, message = envelope.signature, envelope.message
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


def _check_header(envelope: Envelope, now: datetime) -> None:
    """Check the protected header."""
    critical = envelope.critical
    if not isinstance(critical, list) or not all(
        isinstance(name, str) and name in _KNOWN for name in critical
    ):
        raise NotVerified("its header has an unknown critical entry")
    if envelope.content_type != _PAYLOAD or envelope.scheme != "notary.x509":
        raise NotVerified("it is not a signature of the scheme notary.x509")
    if envelope.expires_at is not None and envelope.expires_at <= now:
        raise NotVerified("it has expired")
