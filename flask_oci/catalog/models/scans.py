"""Scans: the images that a scanner reads, and the lease of the process that does so."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from .columns import bytewise
from .columns import DIGEST_LENGTH
from .columns import free_text
from .columns import Record
from .columns import TIME


class Scan(Record):
    """The last scan of an image, and its lease. All times are the database's."""

    __tablename__ = "oci_scan"

    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"), primary_key=True
    )
    digest: Mapped[str] = mapped_column(bytewise(DIGEST_LENGTH), primary_key=True)
    scanned_at: Mapped[datetime | None] = mapped_column(TIME)
    """When the last scan ended whose results were attached."""

    failed_at: Mapped[datetime | None] = mapped_column(TIME)
    """When the last scan failed, unless a later one succeeded."""

    failure: Mapped[str | None] = mapped_column(free_text(1000))
    """Why it failed."""

    lease: Mapped[str | None] = mapped_column(sa.String(36))
    """The random text that the process with the claim knows."""

    leased_until: Mapped[datetime | None] = mapped_column(TIME)
    """When the claim ends."""
