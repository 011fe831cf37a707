"""What the folder of the blobs is like: whether a push can rely on it."""

from __future__ import annotations

import errno
import fcntl
import os
import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

from .posix import FILE_MODE
from .posix import FOLDER_MODE
from .posix import sync_folder


@dataclass(frozen=True)
class ProbeResult:
    """What was seen of a folder."""

    root: str
    """The folder, or, as long as it is not there, the one that it will be made in."""

    exists: bool
    failure: str | None
    """What could not be done there that every push does, or None."""

    locks: bool
    """Whether a locked file is locked for others."""

    file_system: str
    """Its type, such as ``ext4``; empty when that is not known."""

    one_device: bool
    """Whether a finished upload can become a blob by a rename."""

    free: int
    """For how many more bytes there is room."""

    mode: int
    """The permissions of the folder."""

    behind: float
    """By how many seconds the clock of the disk is behind ours."""


def examine(root: str) -> ProbeResult:
    """Do in a folder what a push does there, and take it back.

    :param root: of the storage. It need not be there, and is not made.
    """
    folder = root
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    failure, locks, behind = None, True, 0.0
    try:
        locks, behind = _rehearse(folder)
    except OSError as error:
        failure = error.strerror or type(error).__name__
    found, room = os.stat(folder), os.statvfs(folder)
    return ProbeResult(
        root=folder,
        exists=folder == root,
        failure=failure,
        locks=locks,
        file_system=_file_system(folder),
        one_device=_is_one_device(root),
        free=room.f_bavail * room.f_frsize,
        mode=found.st_mode & 0o777,
        behind=behind,
    )


def _rehearse(folder: str) -> tuple[bool, float]:
    """Make, write, flush, lock and rename a file."""
    place = os.path.join(folder, f".check-{uuid4()}")
    before, after = os.path.join(place, "upload"), os.path.join(place, "blob")
    os.mkdir(place, FOLDER_MODE)
    try:
        fd = os.open(before, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
        try:
            os.write(fd, b"check")
            os.fsync(fd)
            behind = time.time() - os.fstat(fd).st_mtime
            locks = _keeps_out(fd, before)
            os.replace(before, after)
            sync_folder(place)
        finally:
            os.close(fd)
        return locks, behind
    finally:
        for path in (before, after):
            with suppress(OSError):
                os.unlink(path)
        os.rmdir(place)


def _keeps_out(fd: int, path: str) -> bool:
    other = os.open(path, os.O_WRONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Anything else is a file system that knows no locks.
        return error.errno in (errno.EWOULDBLOCK, errno.EACCES)
    finally:
        os.close(other)
    return False


def _is_one_device(root: str) -> bool:
    devices = set()
    for name in ("", "blobs", "uploads", "blobs/sha256", "blobs/sha512"):
        with suppress(FileNotFoundError):
            devices.add(os.stat(os.path.join(root, name)).st_dev)
    return len(devices) <= 1


def _file_system(folder: str) -> str:
    """Return the type of the file system that a folder is on, as Linux tells it."""
    folder = os.path.realpath(folder)
    best: tuple[str, str] = ("", "")
    for point, kind in _mounts():
        inside = folder == point or folder.startswith(point.rstrip("/") + "/")
        # The last of several on one point hides those before it.
        if inside and len(point) >= len(best[0]):
            best = point, kind
    return best[1]


def _mounts() -> t.Iterator[tuple[str, str]]:
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="replace") as file:
            for line in file:
                _, point, kind, *_ = line.split(" ")
                yield point.replace("\\040", " "), kind
    except OSError:
        return
