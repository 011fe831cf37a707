"""The identity of the storage folder."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from .columns import Record


class StorageFolder(Record):
    """The storage folder of this database. There is at most one row."""

    __tablename__ = "oci_storage"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    identity: Mapped[str] = mapped_column(sa.String(36))
    """The random text that a file in the folder repeats."""

    adopted_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )
    """When the folder and the database were connected."""
