"""Trusted publishers, and the identity tokens that were used."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from .columns import bytewise
from .columns import free_text
from .columns import Record
from .columns import TIME


class Publisher(Record):
    """A workflow of an issuer that may log in as a robot."""

    __tablename__ = "oci_publisher"

    # The key is random, because databases reuse the number of a deleted row.
    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, sort_order=-1)
    robot_id: Mapped[str] = mapped_column(
        sa.ForeignKey("oci_robot.id", ondelete="CASCADE"), index=True
    )
    issuer: Mapped[str] = mapped_column(bytewise(255))
    kind: Mapped[str] = mapped_column(sa.String(16))
    fields: Mapped[dict[str, str]] = mapped_column(sa.JSON)

    pin: Mapped[str] = mapped_column(sa.String(64), index=True)
    """A hash of the issuer and of the fields that identify the job's project."""

    created_by: Mapped[str | None] = mapped_column(free_text(255))
    created_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
    last_used_at: Mapped[datetime | None] = mapped_column(TIME)

    last_job: Mapped[str | None] = mapped_column(free_text(255))
    """The job that logged in last."""


class IdentityUse(Record):
    """An identity token that was used."""

    __tablename__ = "oci_identity_use"

    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    """A hash of the issuer and of the token's identifier."""

    token_hash: Mapped[str] = mapped_column(sa.String(64))
    """A hash of the token."""

    address: Mapped[str | None] = mapped_column(sa.String(64))
    """The network of the client that may use it again, or None if no client may."""

    # No foreign keys, because a used token stays used after the end of its publisher
    # and of its session.
    publisher_id: Mapped[str] = mapped_column(sa.String(32), index=True)
    credential_id: Mapped[str] = mapped_column(sa.String(32), index=True)
    expires_at: Mapped[datetime] = mapped_column(TIME, index=True)
    """When the token expires."""
