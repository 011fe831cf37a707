"""Checks, fetches and states of upstream registries."""

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

#: The states of a reference at its upstream.
PRESENT = "present"
DELETED = "deleted"


class UpstreamCheck(Record):
    """The last answer of an upstream about a tag, or about the referrers of a
    manifest."""

    __tablename__ = "oci_upstream_check"

    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"), primary_key=True
    )
    reference: Mapped[str] = mapped_column(bytewise(DIGEST_LENGTH), primary_key=True)
    """A tag, or the digest of a subject."""

    checked_at: Mapped[datetime] = mapped_column(TIME)
    state: Mapped[str] = mapped_column(sa.String(16))
    """``present`` or ``deleted``."""


class UpstreamFetch(Record):
    """The lease of a process that fetches some content for all clients."""

    __tablename__ = "oci_upstream_fetch"

    key: Mapped[str] = mapped_column(bytewise(64), primary_key=True)
    """The hash of the repository and the reference."""

    lease: Mapped[str] = mapped_column(sa.String(36))
    """A random number, which is also the upload session of a blob."""

    leased_until: Mapped[int] = mapped_column(sa.BigInteger)
    """By the clock of the database, in seconds since 1970."""


class UpstreamState(Record):
    """The latest answers of an upstream: its rate limit and its last failure."""

    __tablename__ = "oci_upstream"

    namespace: Mapped[str] = mapped_column(bytewise(255), primary_key=True)
    answered_at: Mapped[datetime | None] = mapped_column(TIME)
    rate_limit: Mapped[str | None] = mapped_column(sa.String(64))
    rate_remaining: Mapped[str | None] = mapped_column(sa.String(64))
    failed_at: Mapped[datetime | None] = mapped_column(TIME)
    failure: Mapped[str | None] = mapped_column(free_text(255))
