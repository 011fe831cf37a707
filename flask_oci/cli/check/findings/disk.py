"""Findings about the storage folder."""

from __future__ import annotations

from ..finding import FindingType

_ANOTHER_FOLDER = 'OCI_STORAGE_PATH = "/srv/forge/oci"'

UNWRITABLE = FindingType(
    "storage-unwritable",
    "error",
    "The storage folder is not writable.",
    "Pushes are answered 503. Run this check as the user that the server runs as.",
    {"command": "chown -R forge: /srv/forge/oci", "python": _ANOTHER_FOLDER},
)

NO_LOCKS = FindingType(
    "storage-without-locks",
    "error",
    "The file system of the storage folder does not enforce locks.",
    "Two requests can write to the same upload, and a garbage collection can delete"
    " layers that are being pushed.",
    {
        "python": _ANOTHER_FOLDER,
        "command": (
            "mount -t nfs4 server:/forge /srv/forge  # Without nolock and local_lock."
        ),
    },
)

EPHEMERAL = FindingType(
    "storage-ephemeral",
    "warning",
    "The storage folder does not survive a restart.",
    "When the container or the machine restarts, the layers are lost. The database"
    " still lists the images, and docker pull fails.",
    {
        "python": _ANOTHER_FOLDER,
        "command": "docker run --volume forge-images:/srv/forge/oci …",
    },
)

UNRELIABLE = FindingType(
    "storage-unreliable",
    "warning",
    "The storage folder is on a file system without reliable guarantees.",
    "Network, FUSE and FAT file systems do not always rename, flush and lock as the"
    " registry needs. A layer that was acknowledged to docker may be missing.",
    {"python": _ANOTHER_FOLDER},
)

STORE_UNREAD = FindingType(
    "storage-store-unread",
    "error",
    "Blobs are in a store that the registry does not read.",
    "Pulls of these blobs are answered 404. Add the store to OCI_STORAGE_ALSO, with the"
    " options and credentials that it needs, until its blobs have been moved.",
    {
        "python": 'OCI_STORAGE_ALSO = ["s3://forge-images/oci"]',
        "command": "flask oci storage status",
    },
)

IDENTITY = FindingType(
    "storage-identity",
    "error",
    "The storage and the database do not belong together.",
    "Pushes are answered 503, and the collection deletes nothing, because it could"
    " delete the blobs of another registry. Mount the right disk, or correct"
    " OCI_STORAGE_PATH or OCI_STORAGE. After you have replaced or restored the folder"
    " or the bucket on purpose, connect it to the database.",
    {"command": "flask oci storage adopt", "python": _ANOTHER_FOLDER},
)

FOREIGN = FindingType(
    "storage-owners",
    "error",
    "Files in the storage folder belong to another user than the folder.",
    "The server may not be able to read, replace or delete them: pushes and pulls are"
    " answered 503. Commands that root runs with this version keep the owner.",
    {"command": "chown -R --reference=/srv/forge/oci /srv/forge/oci"},
)

DANGLING = FindingType(
    "storage-dangling",
    "error",
    "The target of a link in the storage folder does not exist.",
    "The disk that it leads to is not mounted. Pushes are answered 503, and pulls 404.",
    {"command": "mount /srv/forge  # Then run this check again."},
)

SPLIT = FindingType(
    "storage-split",
    "error",
    "The storage folder is spread over several file systems.",
    "A finished upload becomes a blob by a rename, which works within one file system"
    " only. Every push is answered 503.",
    {"command": "umount /srv/forge/oci/blobs  # Mount the disk at /srv/forge/oci."},
)

FULL = FindingType(
    "storage-full",
    "warning",
    "The disk of the storage folder is almost full.",
    "A push that does not fit is answered 503 before it is complete. Below"
    " OCI_STORAGE_RESERVE, every push is refused, and pulls and deletions continue.",
    {"command": "flask oci gc"},
)

PERMISSIONS = FindingType(
    "storage-permissions",
    "warning",
    "Every user of this machine can write to the storage folder or list it.",
    "Private images are files in this folder, named by their digests.",
    {"command": "chmod o-rwx /srv/forge/oci"},
)

PUBLIC = FindingType(
    "storage-public",
    "error",
    "The storage folder is inside the application's static folder.",
    "Flask serves static files without authorization. A client that knows or guesses a"
    " path downloads private images.",
    {"python": _ANOTHER_FOLDER},
)

CLOCK = FindingType(
    "storage-clock",
    "warning",
    "The clocks of the disk and of this machine differ.",
    "The registry uses both to find idle uploads. It could delete uploads in progress,"
    " or keep old ones.",
    {"command": "timedatectl set-ntp true  # On both machines."},
)
