"""Events: what happened, kept until everybody has been told."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from .columns import bytewise
from .columns import Record

#: A key that grows for ever. SQLite counts up only what it calls an integer.
Counter: t.Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class Event(Record):
    """Something that happened, written in the transaction that made it happen."""

    __tablename__ = "oci_event"
    # Whoever has been told of one number must not meet it again.
    __table_args__: t.ClassVar[t.Any] = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(Counter, primary_key=True, sort_order=-1)
    """The events of one repository have ascending keys: their transactions wait for
    each other."""

    uuid: Mapped[str] = mapped_column(sa.String(36))
    kind: Mapped[str] = mapped_column(sa.String(32))
    # No foreign key: an event outlives what it is about.
    repository_id: Mapped[int | None] = mapped_column(sa.Integer)
    repository: Mapped[str | None] = mapped_column(bytewise(255))
    former_name: Mapped[str | None] = mapped_column(bytewise(255))
    data: Mapped[dict[str, t.Any]] = mapped_column(sa.JSON)
    at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow, index=True
    )
    assigned_at: Mapped[datetime | None] = mapped_column(
        sa.DateTime(timezone=True), index=True
    )
    """When it was found out which webhooks are to be told."""
