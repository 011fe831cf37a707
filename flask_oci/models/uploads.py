"""Uploads that have begun."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import declared_attr
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from .columns import DIGEST_LENGTH
from .columns import Record
from .moments import utcnow


class Upload(Record):
    """An upload session of one user to one repository.

    How many bytes it has is asked of the storage, never of this row: after a
    crash, the file is what is true. The row remembers what was hashed.
    """

    __tablename__ = "oci_upload"

    uuid: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"), index=True
    )
    algorithm: Mapped[str] = mapped_column(sa.String(16))
    hashed_length: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    hashed_digest: Mapped[str | None] = mapped_column(sa.String(DIGEST_LENGTH))
    started_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )
    touched_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )

    @declared_attr
    def user_id(cls) -> Mapped[t.Any]:
        """Who may go on with it."""
        return cls._refer_to(cls.user_key, "CASCADE")
