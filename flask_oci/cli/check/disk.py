"""Findings about the folder of the blobs."""

from __future__ import annotations

import typing as t

from ...storage import examine
from .finding import Finding
from .findings import disk as findings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ...storage import ProbeResult
    from .target import Target

#: Below how many bytes of free space somebody should know.
ROOM: t.Final = 2 * 1024**3

#: By how many seconds a disk's clock may differ.
LEEWAY: t.Final = 60

_FORGETFUL = frozenset({"tmpfs", "ramfs", "devtmpfs", "overlay", "aufs"})
_FOREIGN = ("fuse", "cifs", "smb", "9p", "vfat", "exfat", "msdos", "afs", "davfs")


def look(subject: Target) -> Iterator[Finding]:
    """Do in the storage folder what a push does there."""
    root = subject.parts.config.storage_path
    seen = examine(root)
    where = root if seen.exists else f"{root}, to be made in {seen.root},"
    if seen.failure:
        yield findings.UNWRITABLE.found(
            f"{where} cannot be written to: {seen.failure}."
        )
    elif not seen.locks:
        yield findings.LOCKLESS.found(
            f"A locked file in {seen.root} can be locked again."
        )
    if seen.file_system in _FORGETFUL:
        yield findings.FORGETFUL.found(
            f"{seen.root} is on a file system {seen.file_system}."
        )
    if seen.file_system.startswith(_FOREIGN):
        yield findings.FOREIGN.found(
            f"{seen.root} is on a file system {seen.file_system}."
        )
    if not seen.one_device:
        yield findings.TORN.found(f"Folders in {root} are on another disk than itself.")
    if not seen.failure and seen.free < ROOM:
        yield findings.FULL.found(f"There are {seen.free / 1024**2:.0f} MiB left.")
    if abs(seen.behind) > LEEWAY:
        side = "behind" if seen.behind > 0 else "ahead"
        yield findings.CLOCK.found(
            f"The disk is {abs(seen.behind):.0f} seconds {side}."
        )
    yield from _exposure(subject, seen)


def _exposure(subject: Target, seen: ProbeResult) -> Iterator[Finding]:
    root, static = subject.parts.config.storage_path, subject.app.static_folder
    if seen.exists and seen.mode & 0o007:
        yield findings.EXPOSED.found(f"The permissions of {root} are {seen.mode:o}.")
    if static and f"{root}/".startswith(f"{static.rstrip('/')}/"):
        yield findings.SERVED.found(f"{root} is inside of {static}.")
