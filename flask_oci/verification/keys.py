"""Verification with a public key. The type of the key decides the algorithm; nothing in
a signature does."""

from __future__ import annotations

import typing as t
from functools import lru_cache

from .signers import load_key
from .signers import Signer

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


def signer_of(
    signers: Sequence[Signer], signature: bytes, message: bytes
) -> Signer | None:
    """Return the first signer whose key made a signature, or None.

    :param signature: the signature in the usual encoding of the key's type.
    :param message: the signed bytes.
    """
    for signer in signers:
        if signer.kind == "key" and is_signed_by(_key(signer), signature, message):
            return signer
    return None


@lru_cache(maxsize=256)
def _key(signer: Signer) -> PublicKeyTypes:
    return load_key(signer.value)


def is_signed_by(key: PublicKeyTypes, signature: bytes, message: bytes) -> bool:
    """Return True if a key made a signature."""
    from cryptography.exceptions import InvalidSignature

    for verify in _algorithms(key):
        try:
            verify(signature, message)
        except InvalidSignature:
            continue
        return True
    return False


def _algorithms(key: PublicKeyTypes) -> Iterator[t.Callable[[bytes, bytes], object]]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric import rsa

    if isinstance(key, ec.EllipticCurvePublicKey):
        # Cosign used SHA-256 for all curves before it followed the size of the curve.
        larger = {384: hashes.SHA384(), 521: hashes.SHA512()}.get(key.curve.key_size)
        for algorithm in filter(None, (hashes.SHA256(), larger)):
            scheme = ec.ECDSA(algorithm)
            yield lambda s, m, scheme=scheme: key.verify(s, m, scheme)  # type: ignore[misc]
    elif isinstance(key, rsa.RSAPublicKey):
        yield lambda s, m: key.verify(s, m, padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(key, ed25519.Ed25519PublicKey):
        yield key.verify
