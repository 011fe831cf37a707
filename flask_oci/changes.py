"""Changes: what happens to repositories, and to what is in them."""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from datetime import timezone
from fnmatch import fnmatchcase

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

#: Everything that can happen.
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
    """Return the kinds that a pattern such as ``tag.*`` stands for."""
    return [kind for kind in KINDS if fnmatchcase(kind, pattern)]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who made something happen, and by which request, if it was one."""

    actor: str | None = None
    """The name of the user; None is nobody known, or the command line."""

    address: str | None = None
    """Where the request came from."""

    host: str | None = None
    """The name by which the registry was called."""

    method: str | None = None
    user_agent: str | None = None


@dataclass(slots=True, kw_only=True)
class Change:
    """Something that is about to happen, or has happened."""

    kind: str
    """What it is: one of those in the table on :doc:`events`."""

    repository: str | None = None
    """The name of the repository it happens to; where it is renamed, the new one."""

    repository_id: int | None = None
    """The key of the repository; None before it is made."""

    digest: str | None = None
    """Of the manifest or the blob; where a tag is deleted, of what it pointed at."""

    media_type: str | None = None
    artifact_type: str | None = None
    subject: str | None = None
    """The digest of what a pushed manifest is about."""

    size: int | None = None
    """In bytes."""

    tag: str | None = None
    """The tag that moves, or is deleted."""

    tags: tuple[str, ...] = ()
    """What a manifest is pushed as."""

    former_digest: str | None = None
    """Where a tag pointed before; None is nowhere."""

    by_push: bool = False
    """Whether a tag moves because a manifest is pushed."""

    source: str | None = None
    """The repository that a blob is mounted from."""

    former_name: str | None = None
    """What a repository was called before."""

    owner: str | None = None
    """Whom a repository is given to."""

    visibility: str | None = None
    """Who may see a repository from then on."""

    detail: dict[str, int] | None = None
    """What a collection did, in numbers."""

    content: bytes | None = field(default=None, repr=False)
    """The bytes of a manifest that is pushed."""

    by: t.Any = None
    """The key of the user who does it, where that is known."""

    origin: Origin = Origin()
    """Who does it, and from where."""

    at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    """When, in UTC."""

    def data(self) -> dict[str, t.Any]:
        """Return what is known of it beside its kind, its moment and its repository,
        as JSON has it."""
        known = {name: getattr(self, name) for name in _DATA}
        found: dict[str, t.Any] = {
            name: value
            for name, value in known.items()
            # No size is something else than a size of 0.
            if value is not None and value is not False and value != ()
        }
        origin = dataclasses.asdict(self.origin)
        found.update({name: value for name, value in origin.items() if value})
        return found


#: What :meth:`Change.data` has of a change itself.
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
