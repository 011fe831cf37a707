"""Repositories, and the blobs that they link."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import declared_attr
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from ...rules.visibility import PRIVATE
from .columns import bytewise
from .columns import DIGEST_LENGTH
from .columns import Record


class Repository(Record):
    """A named collection of manifests."""

    __tablename__ = "oci_repository"
    # SQLite gives the number of a deleted row away again, unless it is told not to.
    # Somebody's request may still be about the repository that had it.
    __table_args__: t.ClassVar[t.Any] = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)
    name: Mapped[str] = mapped_column(bytewise(255), unique=True)
    visibility: Mapped[str] = mapped_column(sa.String(16), default=PRIVATE)
    description: Mapped[str | None] = mapped_column(sa.Text)
    """What its people say about it on its page, in Markdown."""

    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )
    pushed_at: Mapped[datetime | None] = mapped_column(
        sa.DateTime(timezone=True), index=True
    )
    """When a manifest was last pushed to it."""

    pull_count: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    """How often manifests of it were pulled."""

    @declared_attr
    def owner_id(cls) -> Mapped[t.Any]:
        """Whose it is. Deleting a user leaves the images, to nobody."""
        return cls._refer_to(cls.user_key, "SET NULL")


class Blob(Record):
    """Bytes that are stored once, whatever number of repositories link them."""

    __tablename__ = "oci_blob"

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)
    digest: Mapped[str] = mapped_column(bytewise(DIGEST_LENGTH), unique=True)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )
    unlinked_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    """When somebody last deleted it from a repository."""


class RepositoryBlob(Record):
    """That a repository may read a blob, because it was pushed or mounted there."""

    __tablename__ = "oci_repository_blob"

    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"), primary_key=True
    )
    blob_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_blob.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    leased_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )
    """When a client was last told that it need not push the blob again, or a
    manifest that needed it was deleted."""


class RepositoryAlias(Record):
    """A name that a repository had before, by which it can still be pulled."""

    __tablename__ = "oci_repository_alias"

    name: Mapped[str] = mapped_column(bytewise(255), primary_key=True)
    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"), index=True
    )
