"""Findings about storage folder."""

from __future__ import annotations

from ..finding import FindingType

_ELSEWHERE = 'OCI_STORAGE_PATH = "/srv/forge/oci"'

UNWRITABLE = FindingType(
    "storage-unwritable",
    "error",
    "The storage folder cannot be written to.",
    "Pushes are answered 503. Run this check as the user that the server runs as.",
    {
        "command": "chown -R forge: /srv/forge/oci",
        "python": _ELSEWHERE,
    },
)

LOCKLESS = FindingType(
    "storage-without-locks",
    "error",
    "The storage folder's file system does not keep locks.",
    "Two requests may write to one upload, and a collection may delete what is being"
    " pushed.",
    {
        "python": _ELSEWHERE,
        "command": "mount -t nfs4 server:/forge /srv/forge  # Not nolock, nor local_lock.",
    },
)

FORGETFUL = FindingType(
    "storage-forgetful",
    "warning",
    "The storage folder does not outlast a restart.",
    "The database goes on to promise images whose layers are gone with the container,"
    " or with the power: docker pull fails.",
    {
        "python": _ELSEWHERE,
        "command": "docker run --volume forge-images:/srv/forge/oci …",
    },
)

FOREIGN = FindingType(
    "storage-foreign",
    "warning",
    "The storage folder is on a file system that is made of something else.",
    "Such file systems rename, flush and lock some of the time. A layer that docker was"
    " told is stored may not be there.",
    {
        "python": _ELSEWHERE,
    },
)

TORN = FindingType(
    "storage-torn",
    "error",
    "Parts of the storage folder are on different disks.",
    "A finished upload becomes a blob by a rename, which takes one file system: every"
    " push ends in 503.",
    {
        "command": "umount /srv/forge/oci/blobs  # Mount the disk at /srv/forge/oci.",
    },
)

FULL = FindingType(
    "storage-full",
    "warning",
    "The disk of the storage folder is almost full.",
    "A push that does not fit is answered 503 in its middle.",
    {
        "command": "flask oci gc",
    },
)

EXPOSED = FindingType(
    "storage-exposed",
    "warning",
    "Everybody on this machine can write to, or list, the storage folder.",
    "Private images are files in it, and their digests are their names.",
    {
        "command": "chmod o-rwx /srv/forge/oci",
    },
)

SERVED = FindingType(
    "storage-served",
    "error",
    "The storage folder is inside of the application's static files.",
    "Flask hands out what is there to anybody who knows, or guesses, a path: private"
    " images without a question.",
    {
        "python": _ELSEWHERE,
    },
)

CLOCK = FindingType(
    "storage-clock",
    "warning",
    "The disk's clock and this machine's differ.",
    "What is idle is told by both. Uploads under way could be collected, or old ones"
    " kept.",
    {
        "command": "timedatectl set-ntp true  # On both machines.",
    },
)
