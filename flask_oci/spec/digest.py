"""Digests: the names of content.

"A digest is a serialized hash result, consisting of an *algorithm* and
*encoded* portion." (image-spec, descriptor.md, "Digests")
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass

from ..errors import DigestInvalid

#: How many lower-case hexadecimal digits each registered algorithm encodes to.
#: Content named by any other algorithm is refused, because a registry that
#: cannot verify a name must not serve under it.
ALGORITHMS: t.Final = {"sha256": 64, "sha512": 128}

#: The algorithm a digest is made with when the client names none.
DEFAULT_ALGORITHM: t.Final = "sha256"

_HEX = re.compile(r"[0-9a-f]+", re.ASCII)
_LONGEST = max(len(name) + 1 + width for name, width in ALGORITHMS.items())


@dataclass(frozen=True, slots=True)
class Digest:
    """A verified-to-be-well-formed digest of a registered algorithm.

    Every digest that comes from outside becomes one of these before it is
    compared, stored or made part of a file name.
    """

    algorithm: str
    encoded: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read ``algorithm:encoded`` (image-spec, descriptor.md, "Digests").

        :param text: the digest as the client wrote it, percent-decoded once.
        :raises DigestInvalid: when it is not a sha256 or sha512 digest in
            lower-case hexadecimal of the right length.
        """
        algorithm, colon, encoded = text[: _LONGEST + 1].partition(":")
        if not colon or len(text) > _LONGEST:
            raise DigestInvalid(
                "A digest is written as 'sha256:' or 'sha512:' and lower-case"
                " hexadecimal digits.",
                detail=text[:_LONGEST],
            )
        check_algorithm(algorithm)
        if len(encoded) != ALGORITHMS[algorithm] or not _HEX.fullmatch(encoded):
            raise DigestInvalid(
                f"A {algorithm} digest has {ALGORITHMS[algorithm]} lower-case"
                " hexadecimal digits after the colon.",
                detail=text,
            )
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, content: bytes, algorithm: str = DEFAULT_ALGORITHM) -> Digest:
        """Compute the digest of ``content``.

        :param content: the bytes to name.
        :param algorithm: one of :data:`ALGORITHMS`.
        """
        return cls(algorithm, hashlib.new(algorithm, content).hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


def check_algorithm(algorithm: str) -> str:
    """Return ``algorithm`` if content can be named by it.

    :raises DigestInvalid: for anything but a key of :data:`ALGORITHMS`
        (spec.md, "Pushing blobs": an unsupported digest is a 400).
    """
    if algorithm not in ALGORITHMS:
        raise DigestInvalid(
            "This registry names content by sha256 or sha512.",
            detail=algorithm[:_LONGEST],
        )
    return algorithm


def is_digest(text: str) -> bool:
    """Tell whether ``text`` is a digest of a registered algorithm."""
    try:
        Digest.parse(text)
    except DigestInvalid:
        return False
    return True
