"""Access tokens, revocations and login failures."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import declared_attr
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from .columns import free_text
from .columns import Record
from .columns import TIME


class Credential(Record):
    """An access token, a refresh token or a secret of a robot.

    Only the hash of the secret is stored.
    """

    __tablename__ = "oci_credential"

    # The key is random, because databases reuse the number of a deleted row, and a
    # bearer token may still contain it.
    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    subject: Mapped[str] = mapped_column(sa.String(255))
    parent_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("oci_credential.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(free_text(255), default="")
    actions: Mapped[list[str]] = mapped_column(sa.JSON)
    repositories: Mapped[list[str]] = mapped_column(sa.JSON)
    validator: Mapped[str | None] = mapped_column(sa.String(255))
    about: Mapped[str | None] = mapped_column(sa.String(255))
    created_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
    expires_at: Mapped[datetime | None] = mapped_column(TIME)
    last_used_at: Mapped[datetime | None] = mapped_column(TIME)

    robot_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("oci_robot.id", ondelete="CASCADE"), index=True
    )
    """The key of the robot whose secret it is. Such a credential has no user."""

    @declared_attr
    def user_id(cls) -> Mapped[t.Any]:
        """The key of the user who owns the credential."""
        return cls._refer_to(cls.user_key, "CASCADE")


class Revocation(Record):
    """The revocation of all bearer tokens that a user had at a moment."""

    __tablename__ = "oci_revocation"

    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    """A hash of the subject of the tokens."""

    at: Mapped[int] = mapped_column(sa.BigInteger)
    """When the tokens were revoked, in microseconds since 1970."""


class LoginFailure(Record):
    """The number of recent failed logins of one account or from one address."""

    __tablename__ = "oci_login_failure"

    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    count: Mapped[int] = mapped_column(sa.Integer)
    since: Mapped[datetime] = mapped_column(TIME)
