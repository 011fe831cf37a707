"""What somebody may log in with, and what ended or failed."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import declared_attr
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from .columns import Record


class Credential(Record):
    """An access token or a refresh token. The secret itself is not here: only its
    hash, by which it is found."""

    __tablename__ = "oci_credential"

    # A random key, since databases give the number of a deleted row away again,
    # and a bearer token may still name it.
    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    subject: Mapped[str] = mapped_column(sa.String(255))
    parent_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("oci_credential.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(sa.String(255), default="")
    actions: Mapped[list[str]] = mapped_column(sa.JSON)
    repositories: Mapped[list[str]] = mapped_column(sa.JSON)
    validator: Mapped[str | None] = mapped_column(sa.String(255))
    about: Mapped[str | None] = mapped_column(sa.String(255))
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )
    expires_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))

    @declared_attr
    def user_id(cls) -> Mapped[t.Any]:
        """Whose it is."""
        return cls._refer_to(cls.user_key, "CASCADE")


class Revocation(Record):
    """That every bearer token that somebody had by then has ended."""

    __tablename__ = "oci_revocation"

    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    """A hash of the subject of the tokens."""

    at: Mapped[int] = mapped_column(sa.BigInteger)
    """In microseconds after 1970."""


class LoginFailure(Record):
    """How often logging in failed lately, for one account or one address."""

    __tablename__ = "oci_login_failure"

    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    count: Mapped[int] = mapped_column(sa.Integer)
    since: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
