"""Digests: identifiers of content by its hash.

"A digest is a serialized hash result, consisting of an *algorithm* and
*encoded* portion." (image-spec, descriptor.md, "Digests")
"""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass

from ..errors import DigestInvalid

#: The number of lower-case hexadecimal digits for each registered algorithm. The
#: registry refuses other algorithms, because it must not serve content whose digest it
#: cannot verify.
ALGORITHMS: t.Final = {"sha256": 64, "sha512": 128}

#: The algorithm for content that a client pushes without a digest.
DEFAULT_ALGORITHM: t.Final = "sha256"

_HEX = re.compile(r"[0-9a-f]+", re.ASCII)
_LONGEST = max(len(name) + 1 + width for name, width in ALGORITHMS.items())


@dataclass(frozen=True, slots=True)
class Digest:
    """A well-formed digest of a registered algorithm.

    Every digest of a request is parsed into this class before the registry compares or
    stores it, or uses it in a file name.
    """

    algorithm: str
    """A key of :data:`ALGORITHMS`."""

    encoded: str
    """The hash in lower-case hexadecimal."""

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Return the digest ``algorithm:encoded`` (image-spec, descriptor.md,
        "Digests").

        :param text: the digest as the client wrote it, percent-decoded once.
        :raises DigestInvalid: if it is not a sha256 or sha512 digest in lower-case
            hexadecimal of the right length.
        """
        algorithm, colon, encoded = text[: _LONGEST + 1].partition(":")
        if not colon or len(text) > _LONGEST:
            raise DigestInvalid(
                "Write a digest as 'sha256:' or 'sha512:' and lower-case"
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
        """Return the digest of some content.

        :param content: the bytes to hash.
        :param algorithm: one of :data:`ALGORITHMS`.
        """
        return cls(algorithm, hashlib.new(algorithm, content).hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


def check_algorithm(algorithm: str) -> str:
    """Return a supported algorithm.

    :param algorithm: the name of an algorithm.
    :raises DigestInvalid: if it is not a key of :data:`ALGORITHMS` (spec.md, "Pushing
        blobs": an unsupported digest is a 400).
    """
    if algorithm not in ALGORITHMS:
        raise DigestInvalid(
            "Unsupported digest algorithm: use sha256 or sha512.",
            detail=algorithm[:_LONGEST],
        )
    return algorithm


def is_digest(text: str) -> bool:
    """Return True if a text is a digest of a registered algorithm."""
    try:
        Digest.parse(text)
    except DigestInvalid:
        return False
    return True
