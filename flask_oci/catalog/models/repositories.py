"""Repositories, blobs and the links between them."""

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
from .columns import Counter
from .columns import DIGEST_LENGTH
from .columns import free_text
from .columns import LOCATION_LENGTH
from .columns import Record
from .columns import STORE_LENGTH
from .columns import TIME


class Repository(Record):
    """A named collection of manifests."""

    __tablename__ = "oci_repository"
    # By default, SQLite reuses the number of a deleted row. A running request may
    # still refer to the deleted repository by that number.
    __table_args__: t.ClassVar[t.Any] = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)
    name: Mapped[str] = mapped_column(bytewise(255), unique=True)
    visibility: Mapped[str] = mapped_column(sa.String(16), default=PRIVATE)
    description: Mapped[str | None] = mapped_column(free_text())
    """The description on the repository's page, in Markdown."""

    created_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
    pushed_at: Mapped[datetime | None] = mapped_column(TIME, index=True)
    """When a manifest was last pushed to the repository, or its first blob if no
    manifest was. The lists of repositories leave out those without this time."""

    pull_count: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    """The number of pulls of the repository's manifests."""

    upstream: Mapped[str | None] = mapped_column(bytewise(255))
    """The namespace of the upstream whose content the repository caches, or None."""

    stored_bytes: Mapped[int | None] = mapped_column(
        sa.BigInteger, default=0, index=True
    )
    """The size of its blobs, each counted once, shortly after the last push. Only the
    order of lists uses it."""

    collect_at: Mapped[datetime | None] = mapped_column(TIME, index=True)
    """When the collection has to visit it again; None after a change of its content,
    until the collection has visited it."""

    @declared_attr
    def owner_id(cls) -> Mapped[t.Any]:
        """The key of the owner. If the user is deleted, the repository is kept without
        an owner."""
        return cls._refer_to(cls.user_key, "SET NULL")


class Blob(Record):
    """A blob. Its bytes are stored once for all repositories that link it."""

    __tablename__ = "oci_blob"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[t.Any, ...]:
        # Each host needs its own objects, because an index belongs to one table.
        return (sa.Index("ix_oci_blob_place", "store", "location"),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True, sort_order=-1)
    digest: Mapped[str] = mapped_column(bytewise(DIGEST_LENGTH), unique=True)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
    unlinked_at: Mapped[datetime | None] = mapped_column(TIME, index=True)
    """When it was last deleted from a repository."""

    store: Mapped[str | None] = mapped_column(bytewise(STORE_LENGTH))
    """The name of the store that has the bytes; None is the local disk."""

    location: Mapped[str | None] = mapped_column(bytewise(LOCATION_LENGTH))
    """The name of the object in the store; None is the digest on the local disk, or an
    object that is lost."""


class RepositoryBlob(Record):
    """The link of a blob that was pushed to a repository or mounted there. The
    repository may read the blob."""

    __tablename__ = "oci_repository_blob"

    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"), primary_key=True
    )
    blob_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_blob.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    leased_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
    """When the registry last told a client that the blob exists, or last deleted a
    manifest that needed it."""


class RepositoryAlias(Record):
    """A former name of a repository. Clients can still pull by it."""

    __tablename__ = "oci_repository_alias"

    name: Mapped[str] = mapped_column(bytewise(255), primary_key=True)
    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"), index=True
    )
