"""Background jobs: their last runs and their leases."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from .columns import free_text
from .columns import Record
from .columns import TIME


class Job(Record):
    """A background job, such as the collection. All times are the database's."""

    __tablename__ = "oci_job"

    name: Mapped[str] = mapped_column(sa.String(32), primary_key=True, sort_order=-1)
    started_at: Mapped[datetime | None] = mapped_column(TIME)
    """When the last claim began."""

    ended_at: Mapped[datetime | None] = mapped_column(TIME)
    """When the last run ended, complete or not."""

    completed_at: Mapped[datetime | None] = mapped_column(TIME)
    """When the last complete run ended."""

    summary: Mapped[str | None] = mapped_column(free_text())
    """The result of the last complete run."""

    failure: Mapped[str | None] = mapped_column(free_text())
    """The reason why the last run, or an item of it, failed."""

    settings: Mapped[str | None] = mapped_column(sa.String(255))
    """The settings with which the collection has planned its next visits."""

    lease: Mapped[str | None] = mapped_column(sa.String(36))
    """The random text that the process with the claim knows."""

    leased_until: Mapped[datetime | None] = mapped_column(TIME)
    """When the claim ends unless the process renews it."""
