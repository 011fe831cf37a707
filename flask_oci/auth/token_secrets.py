"""Secrets of tokens and robots: their form, their checksum and their hash."""

from __future__ import annotations

import hashlib
import secrets
import string
import typing as t
import zlib

#: The prefix of access tokens, by which secret scanners recognise them.
ACCESS_PREFIX: t.Final = "oci_pat_"

#: The prefix of refresh tokens.
REFRESH_PREFIX: t.Final = "oci_ref_"

#: The prefix of secrets of robots.
ROBOT_PREFIX: t.Final = "oci_rob_"

_ALPHABET = string.digits + string.ascii_letters
_RANDOM_LENGTH = 32
_CHECKSUM_LENGTH = 6


def is_token(text: str) -> bool:
    """Return True if a text has the prefix of a token, valid or not."""
    return text.startswith((ACCESS_PREFIX, REFRESH_PREFIX, ROBOT_PREFIX))


def new_secret(prefix: str) -> str:
    body = prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return body + _checksum(body)


def _checksum(body: str) -> str:
    """Return six characters by which a scanner can tell a token from a random text, and
    by which a guess is rejected without a database query."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits += _ALPHABET[digit]
    return digits


def is_well_formed(secret: str) -> bool:
    body, checksum = secret[:-_CHECKSUM_LENGTH], secret[-_CHECKSUM_LENGTH:]
    return is_token(body) and body.isascii() and _checksum(body) == checksum


def hash_of(secret: str) -> str:
    # The secret is long and random, so it needs no key stretching and no salt.
    return hashlib.sha256(secret.encode()).hexdigest()
