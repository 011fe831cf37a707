"""Findings about several processes and machines that serve one registry."""

from __future__ import annotations

from ..finding import FindingType

KEYS_DIFFER = FindingType(
    "nodes-keys",
    "error",
    "Processes of the registry have different secret keys.",
    "A token that one process signs is refused by another, so logins and pushes fail at"
    " random. During a change of the key, every process needs the former one in"
    " SECRET_KEY_FALLBACKS.",
    {"python": 'SECRET_KEY = os.environ["SECRET_KEY"]  # The same on every machine.'},
)

SETTINGS_DIFFER = FindingType(
    "nodes-settings",
    "warning",
    "Processes of the registry have different settings.",
    "The answer to a request depends on the process that it reaches. A collection with"
    " a shorter OCI_GRACE_PERIOD deletes content that other processes have promised.",
    {"command": "systemctl restart forge  # On every machine, with the same settings."},
)

CLOCKS_DIFFER = FindingType(
    "nodes-clock",
    "warning",
    "The clock of a machine differs from the database's.",
    "Tokens that one machine issues are not valid yet, or expired, on another. Leases"
    " of content and lifetimes end too early or too late.",
    {"command": "timedatectl set-ntp true"},
)

VERSIONS_DIFFER = FindingType(
    "nodes-version",
    "note",
    "Processes of the registry have different versions.",
    "That is normal during an upgrade, and only then.",
    {"command": "pip install --upgrade flask-oci  # On every machine."},
)

SQLITE_SHARED = FindingType(
    "nodes-sqlite",
    "error",
    "Several machines use an SQLite database.",
    "SQLite needs locks and shared memory that file systems of a network do not have."
    " The database will be damaged.",
    {
        "python": (
            'SQLALCHEMY_DATABASE_URI = "postgresql+psycopg://forge@db.internal/forge"'
        ),
    },
)

DISK_SHARED = FindingType(
    "nodes-disk",
    "warning",
    "Several machines store blobs on a disk.",
    "Each blob is only on the machine that received it, unless all machines mount the"
    " same folder. Unfinished uploads need locks on files, which NFS has from version"
    " 4.",
    {"python": 'OCI_STORAGE = "s3://images/registry"  # Every machine reaches it.'},
)
