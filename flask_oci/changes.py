"""Changes to repositories and their content, as signals and events report them."""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from datetime import timezone
from fnmatch import fnmatchcase

from .robot_key import RobotKey

MANIFEST_PUSHED: t.Final = "manifest.pushed"
MANIFEST_DELETED: t.Final = "manifest.deleted"
MANIFEST_PULLED: t.Final = "manifest.pulled"
TAG_MOVED: t.Final = "tag.moved"
TAG_DELETED: t.Final = "tag.deleted"
BLOB_PUSHED: t.Final = "blob.pushed"
BLOB_MOUNTED: t.Final = "blob.mounted"
BLOB_DELETED: t.Final = "blob.deleted"
REPOSITORY_CREATED: t.Final = "repository.created"
REPOSITORY_RENAMED: t.Final = "repository.renamed"
REPOSITORY_TRANSFERRED: t.Final = "repository.transferred"
REPOSITORY_SHOWN: t.Final = "repository.visibility-changed"
REPOSITORY_DELETED: t.Final = "repository.deleted"
COLLECTED: t.Final = "collection.finished"

#: All kinds of changes.
KINDS: t.Final = (
    MANIFEST_PUSHED,
    MANIFEST_DELETED,
    MANIFEST_PULLED,
    TAG_MOVED,
    TAG_DELETED,
    BLOB_PUSHED,
    BLOB_MOUNTED,
    BLOB_DELETED,
    REPOSITORY_CREATED,
    REPOSITORY_RENAMED,
    REPOSITORY_TRANSFERRED,
    REPOSITORY_SHOWN,
    REPOSITORY_DELETED,
    COLLECTED,
)


def matching(pattern: str) -> list[str]:
    """Return the kinds of changes that match a pattern, such as ``tag.*``."""
    return [kind for kind in KINDS if fnmatchcase(kind, pattern)]


@dataclass(frozen=True, slots=True)
class Origin:
    """The user and the request that caused a change."""

    actor: str | None = None
    """The name of the user, or the login name of the robot. None for an anonymous
    client and for the command line."""

    address: str | None = None
    """The IP address of the client."""

    host: str | None = None
    """The host, with a port if there is one, in the URL of the request."""

    method: str | None = None
    """The HTTP method of the request."""

    user_agent: str | None = None
    """The ``User-Agent`` of the request."""

    robot: bool = False
    """Whether the actor is a robot."""

    workflow: str | None = None
    """The job that the robot was logged in for, such as ``github acme/website
    release.yml refs/tags/v1 run 17``."""


@dataclass(slots=True, kw_only=True)
class Change:
    """A change that is about to happen or has happened."""

    kind: str
    """The kind of the change. :doc:`events` lists all kinds."""

    repository: str | None = None
    """The name of the repository. If the change renames it, the new name."""

    repository_id: int | None = None
    """The primary key of the repository. None before the repository exists."""

    digest: str | None = None
    """The digest of the manifest or the blob. If a tag is deleted, the digest of its
    manifest."""

    media_type: str | None = None
    """The media type of the manifest or the blob."""

    artifact_type: str | None = None
    """The artifact type of the manifest."""

    subject: str | None = None
    """The digest of the subject of a pushed manifest."""

    size: int | None = None
    """The size of the manifest or the blob in bytes."""

    tag: str | None = None
    """The tag that is moved or deleted."""

    tags: tuple[str, ...] = ()
    """The tags of a pushed manifest."""

    former_digest: str | None = None
    """The digest that the tag pointed at before. None for a new tag."""

    by_push: bool = False
    """Whether the push of a manifest moves the tag."""

    source: str | None = None
    """The name of the repository that a blob is mounted from."""

    former_name: str | None = None
    """The name of the repository before it is renamed."""

    owner: str | None = None
    """The name of the new owner of the repository."""

    visibility: str | None = None
    """The new visibility of the repository."""

    detail: dict[str, int] | None = None
    """The number of deleted items of each kind in a collection."""

    content: bytes | None = field(default=None, repr=False)
    """The bytes of a pushed manifest."""

    by: t.Any = None
    """The primary key of the user who causes the change, if known. None for a robot."""

    robot: str | None = None
    """The login name of the robot that causes the change, or None."""

    origin: Origin = Origin()
    """The user and the request."""

    at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    """The time in UTC."""

    def __post_init__(self) -> None:
        if isinstance(self.by, RobotKey):
            self.by, self.robot = None, self.by.login

    def data(self) -> dict[str, t.Any]:
        """Return the known fields as JSON values, without the kind, the time and the
        repository."""
        known = {name: getattr(self, name) for name in _DATA}
        found: dict[str, t.Any] = {
            name: value
            for name, value in known.items()
            # A size of 0 is known, None is not.
            if value is not None and value is not False and value != ()
        }
        origin = dataclasses.asdict(self.origin)
        found.update({name: value for name, value in origin.items() if value})
        return found


#: The fields of a change in :meth:`Change.data`.
_DATA: t.Final = (
    "digest",
    "media_type",
    "artifact_type",
    "subject",
    "size",
    "tag",
    "tags",
    "former_digest",
    "by_push",
    "source",
    "former_name",
    "owner",
    "visibility",
    "detail",
)
