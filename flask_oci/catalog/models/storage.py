"""The identity of the storage, and the places that no blob needs."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from .columns import bytewise
from .columns import Counter
from .columns import LOCATION_LENGTH
from .columns import Record
from .columns import STORE_LENGTH
from .columns import TIME


class StorageFolder(Record):
    """The storage folder of this database. There is at most one row."""

    __tablename__ = "oci_storage"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    identity: Mapped[str] = mapped_column(sa.String(36))
    """The random text that a file in the folder repeats."""

    adopted_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
    """When the folder and the database were connected."""


class Discarded(Record):
    """A place that no blob needs. The collection deletes its bytes after the grace
    period."""

    __tablename__ = "oci_discarded"

    id: Mapped[int] = mapped_column(Counter, primary_key=True, sort_order=-1)
    store: Mapped[str | None] = mapped_column(bytewise(STORE_LENGTH))
    """The name of the store; None is the local disk."""

    location: Mapped[str] = mapped_column(bytewise(LOCATION_LENGTH), index=True)
    """The name of the object; on the local disk, the digest."""

    discarded_at: Mapped[datetime] = mapped_column(TIME, default=utcnow, index=True)
