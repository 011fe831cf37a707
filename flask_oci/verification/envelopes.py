"""The two envelopes of Notation's signatures: JWS and COSE (Notary Project, "OCI
Signature Envelope: JWS" and "OCI Signature Envelope: COSE")."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime
from datetime import timezone

from ..spec.rfc3339 import parse_time
from .base import decoded
from .base import mapping
from .base import NotVerified
from .base import signed_object
from .cbor import cbor_bytes
from .cbor import cbor_text
from .cbor import CborInvalid
from .cbor import read_cbor
from .cbor import Tagged

#: The protected headers of Notation, which have the same names in both envelopes.
SCHEME: t.Final = "io.cncf.notary.signingScheme"
EXPIRY: t.Final = "io.cncf.notary.expiry"

#: The labels of COSE for the common headers (RFC 9052, section 3.1; RFC 9360).
_ALGORITHM: t.Final = 1
_CRITICAL: t.Final = 2
_CONTENT_TYPE: t.Final = 3
_CERTIFICATES: t.Final = 33

#: The names of the algorithms of COSE in JWS (RFC 9053, section 2; RFC 8230).
_ALGORITHMS: t.Final = {
    -7: "ES256",
    -35: "ES384",
    -36: "ES512",
    -37: "PS256",
    -38: "PS384",
    -39: "PS512",
}

#: The tags of an envelope with one signer, and of a time in seconds since the epoch.
_SIGN1: t.Final = 18
_EPOCH: t.Final = 1


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signature, and what its protected header claims."""

    chain: list[bytes]
    """The certificates in DER, that of the signer first."""

    algorithm: object
    """The name of the algorithm in JWS."""

    signature: bytes
    message: bytes
    """The bytes that are signed."""

    payload: bytes
    content_type: object
    scheme: object
    critical: object
    """The names of the headers that a reader has to understand."""

    expires_at: datetime | None
    """When the signature expires, or None."""


def read_jws(content: bytes) -> Envelope:
    """Return the envelope of a JSON Web Signature.

    :raises NotVerified: if it is none.
    """
    fields = signed_object(content)
    protected = signed_object(decoded(fields.get("protected"), "header", url=True))
    chain = mapping(fields.get("header")).get("x5c")
    return Envelope(
        [decoded(each, "certificate") for each in _items(chain)],
        protected.get("alg"),
        decoded(fields.get("signature"), "signature", url=True),
        f"{fields.get('protected')}.{fields.get('payload')}".encode(),
        decoded(fields.get("payload"), "payload", url=True),
        protected.get("cty"),
        protected.get(SCHEME),
        protected.get("crit"),
        _checked(protected, parse_time(protected.get(EXPIRY))),
    )


def read_cose(content: bytes) -> Envelope:
    """Return the envelope of a ``COSE_Sign1`` (RFC 9052, section 4.2).

    :raises NotVerified: if it is none.
    """
    try:
        envelope = read_cbor(content)
        parts = envelope.item if isinstance(envelope, Tagged) else None
        if not isinstance(parts, list) or envelope.tag != _SIGN1 or len(parts) != 4:
            raise CborInvalid
        protected_bytes, header, payload, signature = parts
        if not all(isinstance(p, bytes) for p in (protected_bytes, payload, signature)):
            raise CborInvalid
        protected = mapping(read_cbor(protected_bytes))
    except CborInvalid:
        raise NotVerified("its envelope is not COSE with one signer") from None
    algorithm = protected.get(_ALGORITHM)
    chain = mapping(header).get(_CERTIFICATES)
    return Envelope(
        # One certificate may be without a list (RFC 9360, section 2).
        _all_bytes([chain] if isinstance(chain, bytes) else _items(chain)),
        _ALGORITHMS.get(algorithm) if isinstance(algorithm, int) else None,
        signature,
        _signed_structure(protected_bytes, payload),
        payload,
        protected.get(_CONTENT_TYPE),
        protected.get(SCHEME),
        protected.get(_CRITICAL),
        _checked(protected, _epoch_time(protected.get(EXPIRY))),
    )


def _signed_structure(protected: bytes, payload: bytes) -> bytes:
    """Return the bytes that a signature covers (RFC 9052, section 4.4)."""
    fields = (cbor_text("Signature1"), *map(cbor_bytes, (protected, b"", payload)))
    return bytes([4 << 5 | len(fields)]) + b"".join(fields)


def _items(value: object) -> list[t.Any]:
    if not isinstance(value, list):
        raise NotVerified("it has no certificate chain")
    return value


def _all_bytes(values: list[t.Any]) -> list[bytes]:
    if not all(isinstance(value, bytes) for value in values):
        raise NotVerified("its certificate chain is invalid")
    return values


def _checked(
    protected: dict[t.Any, t.Any], expires_at: datetime | None
) -> datetime | None:
    """Return the time of expiry, which a header has to have if it names one."""
    if expires_at is None and protected.get(EXPIRY) is not None:
        raise NotVerified("its time of expiry is invalid")
    return expires_at


def _epoch_time(value: object) -> datetime | None:
    """Return the time of a tagged number, or None if it is none."""
    if not isinstance(value, Tagged) or value.tag != _EPOCH:
        return None
    try:
        return datetime.fromtimestamp(value.item, timezone.utc)
    except (TypeError, OverflowError, ValueError, OSError):
        return None
