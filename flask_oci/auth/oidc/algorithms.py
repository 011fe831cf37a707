"""The accepted algorithms of signatures (RFC 7518 and RFC 8037)."""

from __future__ import annotations

import typing as t

#: The algorithms of each type and curve of keys. There is no algorithm with a shared
#: secret, because its secret could be a public key.
BY_KEY: t.Final[dict[tuple[str, str], frozenset[str]]] = {
    ("RSA", ""): frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("EC", "P-521"): frozenset({"ES512"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA"}),
}

#: All algorithms.
ALGORITHMS: t.Final = frozenset().union(*BY_KEY.values())

#: The maximum length of the name of a key, in characters.
MAX_KEY_ID: t.Final = 255
