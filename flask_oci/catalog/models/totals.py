"""Counters of stored content, which replace counts of whole tables."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import declared_attr
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from .columns import Counter
from .columns import Record
from .columns import TIME


class Total(Record):
    """A part of the numbers of all repositories and blobs. Their sum is the total.

    Pushes add to one of several rows, so that they seldom wait for each other.
    """

    __tablename__ = "oci_total"

    shard: Mapped[int] = mapped_column(
        primary_key=True, autoincrement=False, sort_order=-1
    )
    repositories: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    blobs: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    bytes: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    """The size of the blobs, each counted once."""

    counted_at: Mapped[datetime | None] = mapped_column(TIME)
    """When the tables were last counted; only the first row has it."""


class OwnerUsage(Record):
    """The size of the blobs of all repositories of an owner, each counted once."""

    __tablename__ = "oci_owner_usage"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[t.Any, ...]:
        return (
            sa.Index("ix_oci_owner_usage_owner", "owner_id", unique=True),
            sa.Index("ix_oci_owner_usage_bytes", "bytes"),
        )

    id: Mapped[int] = mapped_column(Counter, primary_key=True, sort_order=-1)
    bytes: Mapped[int] = mapped_column(sa.BigInteger)
    counted_at: Mapped[datetime | None] = mapped_column(TIME)
    """When it was counted; None if a repository has left the owner since."""

    @declared_attr
    def owner_id(cls) -> Mapped[t.Any]:
        """The key of the owner; None stands for the repositories without an owner."""
        key = cls.user_key
        return mapped_column(
            sa.ForeignKey(key.column, ondelete="CASCADE"), nullable=True
        )
