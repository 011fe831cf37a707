"""Probe of the storage folder: the system calls of a push, tried on it."""

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

#: The maximum number of reported files of another user.
MAX_FOREIGN: t.Final = 5


@dataclass(frozen=True)
class ProbeResult:
    """The result of probing a folder."""

    root: str
    """The folder, or its nearest existing parent if it does not exist yet."""

    exists: bool
    failure: str | None
    """The operation of a push that failed there, or None."""

    locks: bool
    """Whether a lock excludes other processes."""

    file_system: str
    """Its type, such as ``ext4``; empty when that is not known."""

    one_device: bool
    """Whether all folders are on one file system, as the rename of an upload needs."""

    free: int
    """The free space, in bytes."""

    mode: int
    """The permissions of the folder."""

    foreign: list[str]
    """Some files and folders in it that belong to another user than the folder."""

    dangling: list[str]
    """Links in it whose target does not exist."""

    behind: float
    """How far the clock of the disk is behind that of the process, in seconds."""


def examine(root: str) -> ProbeResult:
    """Try the system calls of a push in a folder, and clean up.

    :param root: the storage folder. If it does not exist, its nearest existing parent
        is probed, and no folder is created.
    """
    folder = root
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    failure, locks, behind = None, True, 0.0
    try:
        locks, behind = _try_push(folder)
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
        foreign=_foreign(root),
        dangling=[
            path
            for path in (root, *_parts(root))
            if os.path.islink(path) and not os.path.exists(path)
        ],
        behind=behind,
    )


def _try_push(folder: str) -> tuple[bool, float]:
    """Create, write, flush, lock and rename a file.

    :return: whether locks work, and by how many seconds the clock of the disk lags.
    """
    place = os.path.join(folder, f".check-{uuid4()}")
    before, after = os.path.join(place, "upload"), os.path.join(place, "blob")
    os.mkdir(place, FOLDER_MODE)
    try:
        fd = os.open(before, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
        try:
            os.write(fd, b"check")
            os.fsync(fd)
            behind = time.time() - os.fstat(fd).st_mtime
            locks = _excludes(fd, before)
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


def _excludes(fd: int, path: str) -> bool:
    other = os.open(path, os.O_WRONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Any other error means that the file system has no locks.
        return error.errno in (errno.EWOULDBLOCK, errno.EACCES)
    finally:
        os.close(other)
    return False


def _is_one_device(root: str) -> bool:
    devices = set()
    for path in (root, *_parts(root)):
        with suppress(OSError):
            devices.add(os.stat(path).st_dev)
    return len(devices) <= 1


def _parts(root: str) -> t.Iterator[str]:
    """Yield the folders that the registry creates in its storage folder."""
    for name in ("uploads", "notes", "locks", "quarantine"):
        yield os.path.join(root, name)
    for name in ("blobs", "blobs/sha256", "blobs/sha512"):
        yield os.path.join(root, name)
        yield from _entries(os.path.join(root, name))


def _entries(folder: str) -> list[str]:
    with suppress(OSError):
        return sorted(os.path.join(folder, name) for name in os.listdir(folder))
    return []


def _foreign(root: str) -> list[str]:
    """Return some entries of a storage folder with another owner than the folder."""
    try:
        owner = os.stat(root).st_uid
    except OSError:
        return []
    found = []
    for folder in dict.fromkeys(_parts(root)):
        for path in (folder, *_entries(folder)):
            with suppress(OSError):
                if os.lstat(path).st_uid != owner:
                    found.append(path)
            if len(found) >= MAX_FOREIGN:
                return found
    return found


def _file_system(folder: str) -> str:
    """Return the type of the file system of a folder, from Linux's mount table."""
    folder = os.path.realpath(folder)
    best: tuple[str, str] = ("", "")
    for point, kind in _mounts():
        inside = folder == point or folder.startswith(point.rstrip("/") + "/")
        # The last mount on a point hides the earlier ones.
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
