"""Manifests, their references, and tags."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import declared_attr
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from .columns import bytewise
from .columns import CONTENT
from .columns import Counter
from .columns import DIGEST_LENGTH
from .columns import LOGIN_LENGTH
from .columns import Record
from .columns import TIME


class Manifest(Record):
    """The exact bytes of a manifest, and the fields that queries use."""

    __tablename__ = "oci_manifest"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[t.Any, ...]:
        # Each host needs its own objects, because a constraint belongs to one table.
        return (
            sa.UniqueConstraint("repository_id", "digest"),
            sa.Index(
                "ix_oci_manifest_subject", "repository_id", "subject_digest", "digest"
            ),
            sa.Index("ix_oci_manifest_kind", "repository_id", "kind", "platform"),
        )

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)
    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE")
    )
    digest: Mapped[str] = mapped_column(bytewise(DIGEST_LENGTH))
    media_type: Mapped[str] = mapped_column(sa.String(255))
    artifact_type: Mapped[str | None] = mapped_column(bytewise(255))
    subject_digest: Mapped[str | None] = mapped_column(bytewise(DIGEST_LENGTH))
    annotations: Mapped[dict[str, str] | None] = mapped_column(
        sa.JSON(none_as_null=True)
    )
    size: Mapped[int] = mapped_column(sa.Integer)
    content: Mapped[bytes] = mapped_column(CONTENT)
    pushed_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
    touched_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
    """When it was last pushed, a tag was last removed from it, or the registry last
    told a client that it exists."""

    pulled_at: Mapped[datetime | None] = mapped_column(TIME)
    """When it was last pulled, to about an hour."""

    kind: Mapped[str | None] = mapped_column(bytewise(16))
    """The kind of content that lists of repositories show and filter by; empty for
    something that is attached to an image. None until the collection has read it."""

    platform: Mapped[str | None] = mapped_column(bytewise(64))
    """The platform in the config of an image, such as ``linux/arm64/v8``."""

    pushed_by_robot: Mapped[str | None] = mapped_column(bytewise(LOGIN_LENGTH))
    """The login name of the robot that pushed it first, or None for a user."""

    @declared_attr
    def pushed_by_id(cls) -> Mapped[t.Any]:
        """The key of the user who pushed it first."""
        return cls._refer_to(cls.user_key, "SET NULL")


class ManifestReference(Record):
    """One descriptor of a manifest: a config, a layer or a child."""

    __tablename__ = "oci_manifest_reference"

    manifest_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_manifest.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(sa.String(16))
    digest: Mapped[str] = mapped_column(bytewise(DIGEST_LENGTH), index=True)
    media_type: Mapped[str] = mapped_column(sa.String(255))
    size: Mapped[int] = mapped_column(sa.BigInteger)


class Tag(Record):
    """A name for a manifest. It can be moved to another manifest."""

    __tablename__ = "oci_tag"

    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(bytewise(128), primary_key=True)
    manifest_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_manifest.id", ondelete="CASCADE"), index=True
    )
    updated_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
    """When it was last pushed or moved. A restored tag keeps its former time."""

    restored_at: Mapped[datetime | None] = mapped_column(TIME)
    """When its deletion was undone, if it has not been pushed or moved since."""


class TagMove(Record):
    """The creation, move or deletion of a tag."""

    __tablename__ = "oci_tag_move"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[t.Any, ...]:
        return (sa.Index("ix_oci_tag_move_name", "repository_id", "name", "id"),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True, sort_order=-1)
    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE")
    )
    name: Mapped[str] = mapped_column(bytewise(128))
    # Digests instead of keys, because a move outlives its manifests.
    from_digest: Mapped[str | None] = mapped_column(bytewise(DIGEST_LENGTH))
    to_digest: Mapped[str | None] = mapped_column(bytewise(DIGEST_LENGTH))
    moved_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)

    moved_by_robot: Mapped[str | None] = mapped_column(bytewise(LOGIN_LENGTH))
    """The login name of the robot that made the change, or None for a user."""

    tagged_at: Mapped[datetime | None] = mapped_column(TIME)
    """When a deleted tag had last been pushed or moved. None if the tag was not
    deleted."""

    @declared_attr
    def moved_by_id(cls) -> Mapped[t.Any]:
        """The key of the user who made the change."""
        return cls._refer_to(cls.user_key, "SET NULL")


class DeletedManifest(Record):
    """A manifest that was deleted on the pages and can be restored for a time."""

    __tablename__ = "oci_deleted_manifest"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[t.Any, ...]:
        return (sa.UniqueConstraint("repository_id", "digest"),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True, sort_order=-1)
    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE")
    )
    digest: Mapped[str] = mapped_column(bytewise(DIGEST_LENGTH))
    media_type: Mapped[str] = mapped_column(sa.String(255))
    content: Mapped[bytes] = mapped_column(CONTENT)
    tags: Mapped[list[str]] = mapped_column(sa.JSON())
    """The tags that were deleted with it."""

    deleted_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)

    @declared_attr
    def deleted_by_id(cls) -> Mapped[t.Any]:
        """The key of the user who deleted it."""
        return cls._refer_to(cls.user_key, "SET NULL")


class DeletedReference(Record):
    """Content that a deleted manifest needs. The collection keeps it."""

    __tablename__ = "oci_deleted_reference"

    deleted_id: Mapped[int] = mapped_column(
        Counter,
        sa.ForeignKey("oci_deleted_manifest.id", ondelete="CASCADE"),
        primary_key=True,
    )
    digest: Mapped[str] = mapped_column(
        bytewise(DIGEST_LENGTH), primary_key=True, index=True
    )
