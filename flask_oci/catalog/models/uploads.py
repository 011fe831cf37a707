"""Upload sessions."""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import declared_attr
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from ...clock import utcnow
from .columns import Record
from .columns import TIME


class Upload(Record):
    """An upload session of one user or robot to one repository.

    The storage knows the bytes received so far and the time of the last ones. They are
    not recorded here, because after a crash only the file is correct.
    """

    __tablename__ = "oci_upload"

    uuid: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"), index=True
    )
    algorithm: Mapped[str] = mapped_column(sa.String(16))
    started_at: Mapped[datetime] = mapped_column(TIME, default=utcnow)

    robot_id: Mapped[str | None] = mapped_column(sa.String(32), index=True)
    """The key of the robot that may continue the upload. It is no foreign key, because
    a push would have to lock the robot before the repository."""

    @declared_attr
    def user_id(cls) -> Mapped[t.Any]:
        """The key of the user who may continue the upload."""
        return cls._refer_to(cls.user_key, "CASCADE")
