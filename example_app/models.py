"""The forge's own tables. The registry adds its tables to the same metadata."""

from __future__ import annotations

import re
import sqlite3

import sqlalchemy as sa
from flask_login import UserMixin
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

#: People and projects name images (127.0.0.1:5000/alice/hello), so their names
#: follow the rule of image names.
NAME = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+([._-][a-z0-9]+)*")


class Base(DeclarativeBase):
    """What every table shares."""


db = SQLAlchemy(model_class=Base)


class User(UserMixin, db.Model):  # type: ignore[name-defined]
    """A person who signs in, on the web and with docker."""

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(sa.String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(sa.String(255))
    is_active: Mapped[bool] = mapped_column(default=True)
    is_admin: Mapped[bool] = mapped_column(default=False)
    projects: Mapped[list[Project]] = relationship(
        back_populates="owner", order_by="Project.name"
    )


class Project(db.Model):  # type: ignore[name-defined]
    """A piece of work; `owner/name` is also where its image goes."""

    __table_args__ = (sa.UniqueConstraint("owner_id", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(64))
    description: Mapped[str] = mapped_column(sa.String(200))
    owner: Mapped[User] = relationship(back_populates="projects")


def add(row: User | Project) -> bool:
    """Store a row, or return False because there is one of its name."""
    # Asking first would let two requests at once both hear that the name is free.
    db.session.add(row)
    try:
        db.session.commit()
    except sa.exc.IntegrityError:
        db.session.rollback()
        return False
    return True


def tune(connection: object, record: object) -> None:
    """Make a new connection to SQLite fit for several server processes."""
    if isinstance(connection, sqlite3.Connection):
        connection.executescript(
            """
            PRAGMA busy_timeout = 10000; -- writers wait their turn, none fails
            PRAGMA journal_mode = WAL;   -- readers wait for no writer, nor it for them
            PRAGMA synchronous = FULL;   -- what was acknowledged survives a power cut
            PRAGMA foreign_keys = ON;    -- SQLite checks them only where it is told to
            """
        )
