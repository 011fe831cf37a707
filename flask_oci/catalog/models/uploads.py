"""Uploads that have begun."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import declared_attr
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from .columns import Record


class Upload(Record):
    """An upload session of one user to one repository.

    What bytes it has, and when the last ones came, is asked of the storage, never
    of this row: after a crash, the file is what is true.
    """

    __tablename__ = "oci_upload"

    uuid: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"), index=True
    )
    algorithm: Mapped[str] = mapped_column(sa.String(16))
    started_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )

    @declared_attr
    def user_id(cls) -> Mapped[t.Any]:
        """Who may go on with it."""
        return cls._refer_to(cls.user_key, "CASCADE")
