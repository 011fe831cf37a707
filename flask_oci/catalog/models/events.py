"""Events, kept until all webhooks have been notified."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from .columns import bytewise
from .columns import Counter
from .columns import Record
from .columns import TIME


class Event(Record):
    """An event, written in the transaction that makes its change."""

    __tablename__ = "oci_event"
    # Receivers identify an event by its number, so numbers must not be reused.
    __table_args__: t.ClassVar[t.Any] = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(Counter, primary_key=True, sort_order=-1)
    """Keys ascend within a repository, because the transactions that change a
    repository wait for each other."""

    uuid: Mapped[str] = mapped_column(sa.String(36))
    kind: Mapped[str] = mapped_column(sa.String(32))
    # No foreign key, because an event outlives its repository.
    repository_id: Mapped[int | None] = mapped_column(sa.Integer)
    repository: Mapped[str | None] = mapped_column(bytewise(255))
    former_name: Mapped[str | None] = mapped_column(bytewise(255))
    data: Mapped[dict[str, t.Any]] = mapped_column(sa.JSON)
    at: Mapped[datetime] = mapped_column(TIME, default=utcnow, index=True)
    assigned_at: Mapped[datetime | None] = mapped_column(TIME, index=True)
    """When the event was assigned to webhooks."""
