"""Saved hashes of upload sessions, each a short file from one request to the next.

A hash is saved after its bytes have been flushed, so it is valid whenever it exists. If
a crash destroys the file or a part of it, the bytes are read again.
"""

from __future__ import annotations

import os
from contextlib import suppress

from ..errors import DigestInvalid
from ..spec.digest import Digest
from .posix import FILE_MODE
from .posix import inherit_owner
from .protocol import Hashed


def read(path: str) -> Hashed | None:
    """Return a saved hash, or None if the file is missing or damaged."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        length, _, digest = os.read(fd, 1024).decode("ascii").partition(" ")
        return Hashed(int(length), Digest.parse(digest))
    except (OSError, ValueError, DigestInvalid):
        return None
    finally:
        os.close(fd)


def write(path: str, hashed: Hashed) -> None:
    """Save a hash. An error of the disk is ignored, because it costs only time."""
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(OSError):
        fd = os.open(path, flags, FILE_MODE)
        try:
            os.write(fd, f"{hashed.length} {hashed.digest}".encode("ascii"))
            inherit_owner(path)
        finally:
            os.close(fd)


def remove(path: str) -> None:
    """Delete a saved hash, if it exists."""
    with suppress(FileNotFoundError):
        os.unlink(path)
