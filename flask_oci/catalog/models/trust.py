"""Trusted signers, and facts about the artifacts that are attached to images."""

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
from .columns import DIGEST_LENGTH
from .columns import free_text
from .columns import Record
from .columns import TIME


class TrustedSigner(Record):
    """A key, a certificate or an identity that a repository or a path trusts."""

    __tablename__ = "oci_trusted_signer"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[t.Any, ...]:
        return (
            sa.UniqueConstraint("repository_id", "name"),
            sa.UniqueConstraint("path", "name"),
        )

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)
    repository_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE")
    )

    path: Mapped[str | None] = mapped_column(bytewise(255))
    """The path without its ``/*``, unless one repository trusts the signer."""

    name: Mapped[str] = mapped_column(bytewise(100))
    kind: Mapped[str] = mapped_column(sa.String(16))
    value: Mapped[str] = mapped_column(free_text())
    """The key or the certificate in PEM, or the identity."""

    issuer: Mapped[str] = mapped_column(free_text(1024), default="")
    added_by: Mapped[str | None] = mapped_column(free_text(255))
    """The name of the user who added it, at that time."""

    added_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)

    @declared_attr
    def path_owner_id(cls) -> Mapped[t.Any]:
        """The user whose repositories in the path trust it; None if all of them do."""
        return cls._refer_to(cls.user_key, "CASCADE")


class Attachment(Record):
    """The facts about an artifact that is attached to a manifest: a signature, the
    results of a scan, or another document. It counts as long as its manifest exists."""

    __tablename__ = "oci_attachment"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[t.Any, ...]:
        return (
            sa.UniqueConstraint(
                "repository_id", "subject_digest", "digest", "attached_by"
            ),
            sa.Index("ix_oci_attachment_digest", "repository_id", "digest"),
        )

    id: Mapped[int] = mapped_column(Counter, primary_key=True, sort_order=-1)
    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE")
    )
    subject_digest: Mapped[str] = mapped_column(bytewise(DIGEST_LENGTH))
    digest: Mapped[str] = mapped_column(bytewise(DIGEST_LENGTH))
    """The digest of the artifact's manifest."""

    attached_by: Mapped[str] = mapped_column(free_text(255), default="")
    """The name of the user who pushed it, at that time; empty for a signature."""

    tag: Mapped[str | None] = mapped_column(bytewise(128))
    """The tag that attaches it, which has to point at it still."""

    kind: Mapped[str] = mapped_column(sa.String(16))
    """``signature``, ``scan`` or ``other``."""

    is_verified: Mapped[bool] = mapped_column(sa.Boolean(), default=False)
    """Whether a trusted signer made one of its signatures."""

    checked_with: Mapped[str | None] = mapped_column(sa.String(64))
    """The identifier of the set of trusted signers that it was compared with."""

    facts: Mapped[t.Any] = mapped_column(sa.JSON)
    attached_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
    checked_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
