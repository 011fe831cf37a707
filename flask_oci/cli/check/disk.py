"""Checks of the storage folder."""

from __future__ import annotations

import typing as t

from ...catalog import FAILURES
from ...catalog import REFUSED
from ...rules.quota import readable
from ...storage import examine
from .finding import Finding
from .findings import disk as findings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ...storage import ProbeResult
    from .target import Target

#: The free space below which to warn, in bytes.
MIN_FREE: t.Final = 2 * 1024**3

#: The largest accepted clock difference of a disk, in seconds.
MAX_SKEW: t.Final = 60

_EPHEMERAL = frozenset({"tmpfs", "ramfs", "devtmpfs", "overlay", "aufs"})
_UNRELIABLE = ("fuse", "cifs", "smb", "9p", "vfat", "exfat", "msdos", "afs", "davfs")


def check(target: Target) -> Iterator[Finding]:
    """Perform the file operations of a push in the storage folder."""
    if unread := _unread(target):
        yield findings.STORE_UNREAD.found(f"Not read: {', '.join(unread)}.")
    if target.parts.storage.store is not None:
        return
    root = target.parts.config.storage_path
    seen = examine(root)
    where = root if seen.exists else f"{root}, to be created in {seen.root},"
    if seen.failure:
        yield findings.UNWRITABLE.found(f"{where} is not writable: {seen.failure}.")
    elif not seen.locks:
        yield findings.NO_LOCKS.found(
            f"A locked file in {seen.root} can be locked twice."
        )
    if not seen.failure:
        problem = identity_problem(target)
        if problem is not None:
            yield findings.IDENTITY.found(problem)
    if seen.dangling:
        yield findings.DANGLING.found(
            f"The targets of these links do not exist: {', '.join(seen.dangling)}."
        )
    if seen.foreign:
        yield findings.FOREIGN.found(
            f"These belong to another user than {root}: {', '.join(seen.foreign)}."
        )
    if seen.file_system in _EPHEMERAL:
        yield findings.EPHEMERAL.found(
            f"{seen.root} is on a file system of type {seen.file_system}."
        )
    if seen.file_system.startswith(_UNRELIABLE):
        yield findings.UNRELIABLE.found(
            f"{seen.root} is on a file system of type {seen.file_system}."
        )
    if not seen.one_device:
        yield findings.SPLIT.found(
            f"Folders in {root} are on another file system than {root}."
        )
    if not seen.failure and seen.free < MIN_FREE:
        reserve = target.parts.storage.reserve() or 0
        yield findings.FULL.found(
            f"{readable(seen.free)} are free, and {readable(reserve)} are reserved."
        )
    if abs(seen.behind) > MAX_SKEW:
        side = "behind" if seen.behind > 0 else "ahead"
        yield findings.CLOCK.found(
            f"The disk's clock is {abs(seen.behind):.0f} s {side}."
        )
    yield from _exposure(target, seen)


def _exposure(target: Target, seen: ProbeResult) -> Iterator[Finding]:
    root, static = target.parts.config.storage_path, target.app.static_folder
    if seen.exists and seen.mode & 0o007:
        yield findings.PERMISSIONS.found(
            f"The permissions of {root} are {seen.mode:o}."
        )
    if static and f"{root}/".startswith(f"{static.rstrip('/')}/"):
        yield findings.PUBLIC.found(f"{root} is inside {static}.")


def identity_problem(target: Target) -> str | None:
    """Return the reason why the folder does not belong to the database, or None."""
    try:
        return target.parts.content.storage_identity.problem()
    except (*FAILURES, REFUSED):
        # The table may be missing, which another finding reports.
        target.parts.catalog.rollback()
        return None


def _unread(target: Target) -> list[str]:
    """Return the stores that blobs are in, and that the registry does not read."""
    places, stores = target.parts.catalog.blob_places, target.parts.storage.stores()
    try:
        return places.unread(stores)
    except (*FAILURES, REFUSED):
        # Another finding is about the database and its tables.
        target.parts.catalog.rollback()
        return []
