"""Signatures of Notation in COSE envelopes (RFC 9052), signed by the tests."""

from __future__ import annotations

import typing as t

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from flask_oci.testing import Image
from flask_oci.testing import manifests
from tests.support.signing import artifact
from tests.support.signing import encoded
from tests.support.signing import Key
from tests.support.signing import NOTATION

SCHEME: t.Final = "io.cncf.notary.signingScheme"
EXPIRY: t.Final = "io.cncf.notary.expiry"
PAYLOAD: t.Final = "application/vnd.cncf.notary.payload.v1+json"

#: The header of a signature with a key on the curve P-256.
HEADER: t.Final[dict[int | str, t.Any]] = {
    1: -7,
    2: [SCHEME],
    3: PAYLOAD,
    SCHEME: "notary.x509",
    "io.cncf.notary.signingTime": ("tag", 1, 1_767_225_600),
}


def cose(
    key: Key,
    chain: t.Sequence[x509.Certificate],
    digest: str,
    header: t.Mapping[int | str, t.Any] = HEADER,
    context: str = "Signature1",
) -> bytes:
    """Return an envelope that a key signed.

    :param digest: the digest that the payload names.
    :param header: the protected header.
    :param context: the kind of signature that the signed bytes name.
    """
    protected = encode({name: v for name, v in header.items() if v is not None})
    payload = encoded({"targetArtifact": {"digest": digest, "size": 1}})
    r, s = decode_dss_signature(key.sign(encode([context, protected, b"", payload])))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    certificates = [cert.public_bytes(Encoding.DER) for cert in chain]
    return encode(("tag", 18, [protected, {33: certificates}, payload, signature]))


def attached(content: bytes, subject: Image) -> Image:
    """Return the artifact that Notation attaches."""
    layer = manifests.descriptor(content, "application/cose")
    return artifact(layer, content, NOTATION, subject)


def encode(value: t.Any) -> bytes:
    """Return a value as CBOR; a tuple is a tag with its number and item."""
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(encode, value))
    if isinstance(value, dict):
        items = [encode(item) for pair in value.items() for item in pair]
        return _head(5, len(value)) + b"".join(items)
    _, number, item = value
    return _head(6, number) + encode(item)


def _head(kind: int, argument: int) -> bytes:
    """Return the shortest head, as signed bytes need it (RFC 9052, section 9)."""
    if argument < 24:
        return bytes([kind << 5 | argument])
    code, length = next(
        (code, length)
        for code, length in ((24, 1), (25, 2), (26, 4), (27, 8))
        if argument < 1 << 8 * length
    )
    return bytes([kind << 5 | code]) + argument.to_bytes(length, "big")
