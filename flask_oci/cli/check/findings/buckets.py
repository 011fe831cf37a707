"""Findings about the bucket of the blobs."""

from __future__ import annotations

from ..finding import FindingType

_ADDRESS = 'OCI_STORAGE = "s3://forge-images/oci?region=eu-central-1"'

_RULES = "aws s3api put-bucket-lifecycle-configuration --bucket forge-images"

UNUSABLE = FindingType(
    "bucket-unusable",
    "error",
    "The bucket does not accept a push.",
    "An object could not be written, read and deleted. Pushes are answered 503, and"
    " pulls of layers may fail. The detail names the cause: the address, the keys, the"
    " permissions, the quota or the clock.",
    {
        "python": _ADDRESS,
        "command": "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…",
    },
)

FOREIGN = FindingType(
    "bucket-foreign",
    "error",
    "A bucket of OCI_STORAGE_ALSO does not belong to the database.",
    "Its blobs are answered 404. 'flask oci fsck --repair' and the collection change"
    " nothing in it, because they could delete the blobs of another registry.",
    {
        "python": (
            'OCI_STORAGE_ALSO = ["s3://old-images?endpoint=https://store.example.com"]'
        )
    },
)

CLOCK = FindingType(
    "bucket-clock",
    "warning",
    "The clock of this machine differs from that of the object store.",
    "A store rejects requests whose time differs by more than 15 minutes. Pushes and"
    " pulls of layers are then answered 503.",
    {"command": "timedatectl set-ntp true"},
)

PLAIN_HTTP = FindingType(
    "bucket-plain-http",
    "warning",
    "The registry reaches the object store without TLS.",
    "The public address of the registry has TLS, but the layers of private images cross"
    " the network to the store in the clear.",
    {
        "python": (
            'OCI_STORAGE = "s3://forge-images/oci?endpoint=https://store.example.com"'
        )
    },
)

PUBLIC = FindingType(
    "bucket-public",
    "error",
    "Anonymous clients can read the objects of the bucket.",
    "Each client that learns the location of a layer can read it, even if the image is"
    " private.",
    {"command": "aws s3api delete-bucket-policy --bucket forge-images"},
)

REMOVES = FindingType(
    "bucket-removes-blobs",
    "error",
    "A rule of the bucket deletes or archives blobs.",
    "The store does not know which blobs are in use. Images whose layers a rule deletes"
    " are lost; those that it archives cannot be pulled until they are restored. Limit"
    " the rule to another prefix, or delete it.",
    {"command": f"{_RULES} --lifecycle-configuration file://rules.json"},
)

VERSIONED = FindingType(
    "bucket-versioned",
    "warning",
    "The bucket keeps deleted objects.",
    "The collection deletes objects, but the bucket keeps their versions, so that no"
    " space is freed, and each deleted layer is paid for as before. Let a rule of the"
    " bucket delete noncurrent versions.",
    {"command": f"{_RULES} --lifecycle-configuration file://rules.json"},
)

NO_ABORT = FindingType(
    "bucket-without-abort-rule",
    "note",
    "The bucket keeps the parts of interrupted uploads.",
    "The collection aborts the uploads that the database knows. If a process is killed"
    " at the moment at which an upload begins, only a rule of the bucket deletes its"
    " parts. Until then they are paid for, and no list of objects shows them.",
    {"command": f"{_RULES} --lifecycle-configuration file://rules.json"},
)
