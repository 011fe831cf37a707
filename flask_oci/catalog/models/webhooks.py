"""Webhooks, deliveries and delivery attempts."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import declared_attr
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from .columns import bytewise
from .columns import Counter
from .columns import free_text
from .columns import Record
from .columns import TIME

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

    created_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
    failures: Mapped[int] = mapped_column(sa.Integer, default=0)
    """The number of consecutive attempts without an answer."""

    paused_until: Mapped[datetime | None] = mapped_column(TIME)
    """When deliveries resume; they are paused after attempts without an answer."""

    disabled_at: Mapped[datetime | None] = mapped_column(TIME)
    """When the webhook was disabled; None if it is enabled."""

    disabled_reason: Mapped[str | None] = mapped_column(free_text(255))
    """Why the registry disabled it; None if a user did."""

    failing_since: Mapped[datetime | None] = mapped_column(TIME)
    """The time of the first failed attempt since the last success."""

    tested_at: Mapped[datetime | None] = mapped_column(TIME)
    """When the last test was started."""

    accepted_at: Mapped[datetime | None] = mapped_column(TIME)
    """When the webhook last accepted a test."""

    scope: Mapped[str | None] = mapped_column(bytewise(255), index=True)
    """The repository or the path, such as ``website/*``, of a webhook of an owner."""

    @declared_attr
    def owner_id(cls) -> Mapped[t.Any]:
        """The user who added it for the repository or path of its scope; None if it is
        a webhook of the site."""
        return cls._refer_to(cls.user_key, "CASCADE")


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
    due_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
    lease: Mapped[str | None] = mapped_column(sa.String(36))
    """A random value that only the sending process knows."""

    leased_until: Mapped[datetime | None] = mapped_column(TIME)
    """When the lease ends; another process may then send the delivery."""


class DeliveryAttempt(Record):
    """One request to a webhook, and its result."""

    __tablename__ = "oci_delivery_attempt"

    id: Mapped[int] = mapped_column(Counter, primary_key=True, sort_order=-1)
    delivery_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_delivery.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
    status: Mapped[int | None] = mapped_column(sa.Integer)
    error: Mapped[str | None] = mapped_column(sa.String(255))
    milliseconds: Mapped[int] = mapped_column(sa.Integer)
