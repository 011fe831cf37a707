"""Rules of repositories, paths and owners: protection, quotas, retention and
visibility."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import declared_attr
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from .columns import bytewise
from .columns import Record
from .columns import TIME


class Rule(Record):
    """A rule of a repository, of a path, or of all repositories of an owner. Each scope
    has at most one rule of each kind."""

    __tablename__ = "oci_rule"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[t.Any, ...]:
        return (
            sa.UniqueConstraint("repository_id", "kind"),
            sa.UniqueConstraint("owner_id", "kind"),
            # A migration can add an index to a table of SQLite, but no constraint.
            sa.Index("ix_oci_rule_path", "path", "kind", unique=True),
        )

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)
    kind: Mapped[str] = mapped_column(sa.String(16))
    repository_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE")
    )
    path: Mapped[str | None] = mapped_column(bytewise(255))
    """The path of the repositories that it applies to, as ``website`` for
    ``website/*``."""

    value: Mapped[t.Any] = mapped_column(sa.JSON)
    changed_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)

    @declared_attr
    def owner_id(cls) -> Mapped[t.Any]:
        """The owner whose repositories it applies to, unless it is the rule of a
        repository or a path."""
        return cls._refer_to(cls.user_key, "CASCADE")

    @declared_attr
    def path_owner_id(cls) -> Mapped[t.Any]:
        """The user whose repositories in the path it applies to; None if it applies to
        all of them."""
        return cls._refer_to(cls.user_key, "CASCADE")
