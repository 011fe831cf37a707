"""Upload sessions whose bytes are in a bucket."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from .columns import bytewise
from .columns import LOCATION_LENGTH
from .columns import Record
from .columns import TIME

#: MySQL's default text column is too small for the parts of a large upload.
STATE = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


class BucketUpload(Record):
    """The bytes of an upload session in a bucket. All times are the database's.

    It refers to no other row: a blob that arrives in one request has no row of
    :class:`Upload`, and the parts in the bucket outlive a deleted repository until the
    collection deletes them.
    """

    __tablename__ = "oci_bucket_upload"

    uuid: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    location: Mapped[str | None] = mapped_column(bytewise(LOCATION_LENGTH), index=True)
    """The object that has, or will have, all bytes."""

    length: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    """The number of stored bytes."""

    state: Mapped[str] = mapped_column(STATE)
    """The parts and the hash, as JSON."""

    is_ended: Mapped[bool] = mapped_column(default=False)
    """Whether no process may continue it."""

    lease: Mapped[str | None] = mapped_column(sa.String(36))
    """The random text that the process with the lease knows."""

    leased_until: Mapped[datetime | None] = mapped_column(TIME)
    """When the lease ends unless the process renews it."""

    touched_at: Mapped[datetime] = mapped_column(TIME)
    """When the last bytes arrived."""
