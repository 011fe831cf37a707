"""Activity of repositories by day."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from .columns import Record


class RepositoryDay(Record):
    """The pulls of a repository on one day (UTC), and its size at the end of the day.

    A day without a pull and without a push has no row.
    """

    __tablename__ = "oci_repository_day"

    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    day: Mapped[date] = mapped_column(sa.Date, primary_key=True)
    pulls: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    """The size of its blobs, each counted once; None if it was not measured."""
