"""Webhooks, deliveries and delivery attempts."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import declared_attr
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from .columns import Counter
from .columns import Record

PENDING: t.Final = "pending"
DELIVERED: t.Final = "delivered"
DEAD: t.Final = "dead"


class Webhook(Record):
    """A URL that is notified of events."""

    __tablename__ = "oci_webhook"

    id: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    url: Mapped[str] = mapped_column(sa.Text)
    form: Mapped[str] = mapped_column(sa.String(16))
    """The format of its notifications: ``cloudevents`` or ``distribution``."""

    secret: Mapped[str] = mapped_column(sa.String(64))
    """The key of the signatures. It is stored unhashed, because signing needs it."""

    kinds: Mapped[list[str]] = mapped_column(sa.JSON)
    repositories: Mapped[list[str]] = mapped_column(sa.JSON)
    after_id: Mapped[int] = mapped_column(sa.BigInteger)
    """The key of the last event before the webhook was added."""

    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )
    failures: Mapped[int] = mapped_column(sa.Integer, default=0)
    """The number of consecutive attempts without an answer."""

    paused_until: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    """When deliveries resume; they are paused after attempts without an answer."""

    disabled_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    """When a user disabled the webhook; None if it is enabled."""


class Delivery(Record):
    """The delivery of an event to a webhook, pending or finished."""

    __tablename__ = "oci_delivery"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[t.Any, ...]:
        return (
            sa.UniqueConstraint("webhook_id", "event_id"),
            sa.Index("ix_oci_delivery_state", "webhook_id", "state", "event_id"),
        )

    id: Mapped[int] = mapped_column(Counter, primary_key=True, sort_order=-1)
    webhook_id: Mapped[str] = mapped_column(
        sa.ForeignKey("oci_webhook.id", ondelete="CASCADE")
    )
    event_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_event.id", ondelete="CASCADE"), index=True
    )
    state: Mapped[str] = mapped_column(sa.String(16), default=PENDING)
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    due_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), default=utcnow)
    lease: Mapped[str | None] = mapped_column(sa.String(36))
    """A random value that only the sending process knows."""

    leased_until: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    """When the lease ends; another process may then send the delivery."""


class DeliveryAttempt(Record):
    """One request to a webhook, and its result."""

    __tablename__ = "oci_delivery_attempt"

    id: Mapped[int] = mapped_column(Counter, primary_key=True, sort_order=-1)
    delivery_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_delivery.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), default=utcnow)
    status: Mapped[int | None] = mapped_column(sa.Integer)
    error: Mapped[str | None] = mapped_column(sa.String(255))
    milliseconds: Mapped[int] = mapped_column(sa.Integer)
