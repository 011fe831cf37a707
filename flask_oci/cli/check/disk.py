"""Findings about the folder of the blobs."""

from __future__ import annotations

import typing as t

from ...storage import examine
from .finding import Finding
from .finding import kind

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

_ELSEWHERE = 'OCI_STORAGE_PATH = "/srv/forge/oci"'

UNWRITABLE = kind(
    "storage-unwritable",
    "error",
    "The storage folder cannot be written to.",
    "Pushes are answered 503. Run this check as the user that the server runs as.",
    command="chown -R forge: /srv/forge/oci",
    python=_ELSEWHERE,
)
LOCKLESS = kind(
    "storage-without-locks",
    "error",
    "The storage folder's file system does not keep locks.",
    "Two requests may write to one upload, and a collection may delete what is being"
    " pushed.",
    python=_ELSEWHERE,
    command="mount -t nfs4 server:/forge /srv/forge  # Not nolock, nor local_lock.",
)
FORGETFUL = kind(
    "storage-forgetful",
    "warning",
    "The storage folder does not outlast a restart.",
    "The database goes on to promise images whose layers are gone with the container,"
    " or with the power: docker pull fails.",
    python=_ELSEWHERE,
    command="docker run --volume forge-images:/srv/forge/oci …",
)
FOREIGN = kind(
    "storage-foreign",
    "warning",
    "The storage folder is on a file system that is made of something else.",
    "Such file systems rename, flush and lock some of the time. A layer that docker was"
    " told is stored may not be there.",
    python=_ELSEWHERE,
)
TORN = kind(
    "storage-torn",
    "error",
    "Parts of the storage folder are on different disks.",
    "A finished upload becomes a blob by a rename, which takes one file system: every"
    " push ends in 503.",
    command="umount /srv/forge/oci/blobs  # Mount the disk at /srv/forge/oci.",
)
FULL = kind(
    "storage-full",
    "warning",
    "The disk of the storage folder is almost full.",
    "A push that does not fit is answered 503 in its middle.",
    command="flask oci gc",
)
EXPOSED = kind(
    "storage-exposed",
    "warning",
    "Everybody on this machine can write to, or list, the storage folder.",
    "Private images are files in it, and their digests are their names.",
    command="chmod o-rwx /srv/forge/oci",
)
SERVED = kind(
    "storage-served",
    "error",
    "The storage folder is inside of the application's static files.",
    "Flask hands out what is there to anybody who knows, or guesses, a path: private"
    " images without a question.",
    python=_ELSEWHERE,
)
CLOCK = kind(
    "storage-clock",
    "warning",
    "The disk's clock and this machine's differ.",
    "What is idle is told by both. Uploads under way could be collected, or old ones"
    " kept.",
    command="timedatectl set-ntp true  # On both machines.",
)


def look(subject: Target) -> Iterator[Finding]:
    """Do in the storage folder what a push does there."""
    root = subject.parts.config.storage_path
    seen = examine(root)
    where = root if seen.exists else f"{root}, to be made in {seen.root},"
    if seen.failure:
        yield UNWRITABLE.found(f"{where} cannot be written to: {seen.failure}.")
    elif not seen.locks:
        yield LOCKLESS.found(f"A locked file in {seen.root} can be locked again.")
    if seen.file_system in _FORGETFUL:
        yield FORGETFUL.found(f"{seen.root} is on a file system {seen.file_system}.")
    if seen.file_system.startswith(_FOREIGN):
        yield FOREIGN.found(f"{seen.root} is on a file system {seen.file_system}.")
    if not seen.one_device:
        yield TORN.found(f"Folders in {root} are on another disk than itself.")
    if not seen.failure and seen.free < ROOM:
        yield FULL.found(f"There are {seen.free / 1024**2:.0f} MiB left.")
    if abs(seen.behind) > LEEWAY:
        side = "behind" if seen.behind > 0 else "ahead"
        yield CLOCK.found(f"The disk is {abs(seen.behind):.0f} seconds {side}.")
    yield from _exposure(subject, seen)


def _exposure(subject: Target, seen: ProbeResult) -> Iterator[Finding]:
    root, static = subject.parts.config.storage_path, subject.app.static_folder
    if seen.exists and seen.mode & 0o007:
        yield EXPOSED.found(f"The permissions of {root} are {seen.mode:o}.")
    if static and f"{root}/".startswith(f"{static.rstrip('/')}/"):
        yield SERVED.found(f"{root} is inside of {static}.")
