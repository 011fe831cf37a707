"""Blocks: digests that no client may pull or push."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import declared_attr
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from .columns import bytewise
from .columns import DIGEST_LENGTH
from .columns import free_text
from .columns import Record
from .columns import TIME


class Block(Record):
    """A block of a digest, in one repository or in a path."""

    __tablename__ = "oci_block"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[t.Any, ...]:
        return (
            sa.UniqueConstraint("repository_id", "digest", "index_digest"),
            sa.UniqueConstraint("path", "digest", "index_digest"),
        )

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)
    digest: Mapped[str] = mapped_column(bytewise(DIGEST_LENGTH), index=True)

    index_digest: Mapped[str] = mapped_column(bytewise(DIGEST_LENGTH))
    """The index whose block includes this child, or the digest itself."""

    repository_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE")
    )

    path: Mapped[str | None] = mapped_column(bytewise(255))
    """The path without its ``/*``, unless the block is for one repository."""

    reason: Mapped[str] = mapped_column(free_text(500))

    blocked_by: Mapped[str | None] = mapped_column(free_text(255))
    """The name of the user who set it, at that time."""

    blocked_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
