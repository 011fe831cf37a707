"""Signatures of JSON Web Tokens (RFC 7515). No other module uses PyJWT.

PyJWT supports every Python version that this package supports, and it is the library
of the package index whose trusted publishers are the model of these.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from collections.abc import Mapping

from jwt import PyJWK
from jwt import PyJWS
from jwt.exceptions import PyJWTError

from .algorithms import BY_KEY
from .algorithms import MAX_KEY_ID
from .refusal import IdentityRefused

#: The characters of the modulus of an RSA key in base64: 2048 to 8192 bits. Shorter
#: keys can be broken, and longer ones cost much time.
_MODULUS: t.Final = range(342, 1368)

#: The maximum number of keys of an issuer.
_MOST_KEYS: t.Final = 100


class Key(t.NamedTuple):
    """A public key of an issuer."""

    public: dict[str, str]
    """The parts of the public key, as a JSON Web Key."""

    algorithms: frozenset[str]
    """The algorithms whose signatures it verifies."""


def read_keys(document: Mapping[str, t.Any]) -> dict[str, Key]:
    """Return the usable keys of a JSON Web Key Set (RFC 7517) by their names.

    :raises ValueError: if there are none, or too many.
    """
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > _MOST_KEYS:
        raise ValueError(f"has no list 'keys' with at most {_MOST_KEYS} keys")
    found = dict(_usable(entries))
    if not found:
        raise ValueError("has no public key for signatures with a 'kid'")
    return found


def verified_payload(token: str, algorithm: str, key: Key) -> bytes:
    """Return the payload of a token whose signature is valid.

    :param algorithm: the algorithm of its header.
    :raises IdentityRefused: if the signature is invalid, or if the key is for another
        algorithm.
    """
    if algorithm not in key.algorithms:
        raise IdentityRefused(
            "The algorithm of the identity token does not fit the key of the issuer."
            " Request a new identity token.",
            "algorithm",
        )
    try:
        signer = PyJWK(key.public, algorithm)
        payload = PyJWS().decode_complete(token, signer, [algorithm])["payload"]
    except (PyJWTError, ValueError):
        raise IdentityRefused(
            "The signature of the identity token is invalid. Send the token as the"
            " issuer returned it, in one line.",
            "signature",
        ) from None
    return t.cast(bytes, payload)


def _usable(entries: list[t.Any]) -> Iterator[tuple[str, Key]]:
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        name, kind = entry.get("kid"), entry.get("kty")
        curve = "" if kind == "RSA" else entry.get("crv")
        if not isinstance(kind, str) or not isinstance(curve, str):
            continue
        algorithms = BY_KEY.get((kind, curve), frozenset())
        if "alg" in entry:
            algorithms &= {entry["alg"]} if isinstance(entry["alg"], str) else set()
        if not isinstance(name, str) or not 0 < len(name) <= MAX_KEY_ID:
            continue
        if not algorithms or not _is_for_signatures(entry):
            continue
        public = {part: entry[part] for part in _PARTS[kind] if part in entry}
        try:
            PyJWK(public, min(algorithms))
        except (PyJWTError, ValueError, TypeError, KeyError):
            # A key that this version does not understand.
            continue
        yield name, Key(public, algorithms)


#: The parts of a public key. Others, such as a certificate, are not read.
_PARTS: t.Final = {
    "RSA": ("kty", "n", "e"),
    "EC": ("kty", "crv", "x", "y"),
    "OKP": ("kty", "crv", "x"),
}


def _is_for_signatures(entry: dict[str, t.Any]) -> bool:
    operations = entry.get("key_ops", ["verify"])
    if entry["kty"] == "RSA" and len(str(entry.get("n", ""))) not in _MODULUS:
        return False
    return (
        entry.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
    )
