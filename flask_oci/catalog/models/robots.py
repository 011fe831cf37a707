"""Robots: accounts of a namespace or of a repository."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from .columns import bytewise
from .columns import free_text
from .columns import LOGIN_LENGTH
from .columns import Record
from .columns import TIME


class Robot(Record):
    """An account of a path or of one repository, for a machine."""

    __tablename__ = "oci_robot"

    # The key is random, because databases reuse the number of a deleted row.
    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    login: Mapped[str] = mapped_column(bytewise(LOGIN_LENGTH), unique=True)
    """The name for ``docker login``, which stays if the repository is renamed."""

    name: Mapped[str] = mapped_column(bytewise(64))
    path: Mapped[str | None] = mapped_column(bytewise(255), index=True)
    """The path of its repositories, or None if it belongs to one repository."""

    repository_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"), index=True
    )
    description: Mapped[str] = mapped_column(free_text(255), default="")
    actions: Mapped[list[str]] = mapped_column(sa.JSON)
    repositories: Mapped[list[str]] = mapped_column(sa.JSON)
    changes_protected_tags: Mapped[bool] = mapped_column(default=False)
    owner_key: Mapped[str | None] = mapped_column(bytewise(255), index=True)
    """The key of the user whose namespace or repository it was when the robot was
    created or taken over, as text. It is no foreign key, because the deletion of that
    user must neither delete the robot nor make it one of a namespace without a user."""

    created_by: Mapped[str | None] = mapped_column(free_text(255))
    """The name of the user who created it."""

    created_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)
    expires_at: Mapped[datetime | None] = mapped_column(TIME)
    disabled_at: Mapped[datetime | None] = mapped_column(TIME)
    disabled_by: Mapped[str | None] = mapped_column(free_text(255))
    """The name of the user who disabled it, or None for the registry itself."""

    last_used_at: Mapped[datetime | None] = mapped_column(TIME)
