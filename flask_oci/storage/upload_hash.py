"""Notes: what is known of an upload's digest, kept from one request to the next.

A note is written once the bytes that it is about would survive a power cut. So it may
be believed whenever it is there, and where a crash has taken it, or half of it, the
bytes are read once more.
"""

from __future__ import annotations

import os
from contextlib import suppress

from ..errors import DigestInvalid
from ..spec.digest import Digest
from .posix import FILE_MODE
from .protocol import Hashed


def read(path: str) -> Hashed | None:
    """Return what a note says, or None where there is none that can be read."""
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
    """Write a note, if the disk takes it: without one, only time is lost."""
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(OSError):
        fd = os.open(path, flags, FILE_MODE)
        try:
            os.write(fd, f"{hashed.length} {hashed.digest}".encode("ascii"))
        finally:
            os.close(fd)


def remove(path: str) -> None:
    """Remove a note, if there is one."""
    with suppress(FileNotFoundError):
        os.unlink(path)
