"""The forge's own tables. The registry adds its tables to the same metadata."""

from __future__ import annotations

import re
import sqlite3

import sqlalchemy as sa
from flask_login import UserMixin
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import contains_eager
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import joinedload
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

#: The visitors who may see a project and pull its images: its members, every signed-in
#: user, or everyone. The registry's visibilities have the same meanings.
VISIBILITIES = ("private", "internal", "public")
#: A reader sees a private project and pulls its images; a writer also pushes them.
ROLES = ("reader", "writer")
#: Names of users and projects are parts of image names (127.0.0.1:5000/alice/hello), so
#: they follow the rule of image names.
NAME = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+([._-][a-z0-9]+)*")


class Base(DeclarativeBase):
    """The declarative base of all tables."""


db = SQLAlchemy(model_class=Base)


class User(UserMixin, db.Model):  # type: ignore[name-defined]
    """A user, who signs in on the web and with docker."""

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(sa.String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(sa.String(255))
    is_active: Mapped[bool] = mapped_column(default=True)
    is_admin: Mapped[bool] = mapped_column(default=False)
    projects: Mapped[list[Project]] = relationship(
        back_populates="owner", order_by="Project.name", passive_deletes="all"
    )
    memberships: Mapped[list[Member]] = relationship(
        back_populates="user", passive_deletes="all"
    )


class Project(db.Model):  # type: ignore[name-defined]
    """A project; `owner/name` is also the name of its images."""

    __table_args__ = (sa.UniqueConstraint("owner_id", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(64))
    description: Mapped[str] = mapped_column(sa.String(200))
    visibility: Mapped[str] = mapped_column(sa.String(8), default="private")
    owner: Mapped[User] = relationship(back_populates="projects")
    members: Mapped[list[Member]] = relationship(
        back_populates="project", cascade="all, delete-orphan", passive_deletes=True
    )

    def allows(self, user: User | None, action: str) -> bool:
        """Return True if a user may do this to the project ("manage") or its images."""
        if user and (user.is_admin or user == self.owner):
            return True
        role = next((m.role for m in self.members if m.user == user), None)
        if action == "pull":
            seen_by_all = ("internal", "public") if user else ("public",)
            return role in ROLES or self.visibility in seen_by_all
        return action == "push" and role == "writer"


class Member(db.Model):  # type: ignore[name-defined]
    """The role of a user in another user's project."""

    project_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Project.id, ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        sa.ForeignKey(User.id, ondelete="CASCADE"), primary_key=True
    )
    role: Mapped[str] = mapped_column(sa.String(8))
    project: Mapped[Project] = relationship(back_populates="members")
    user: Mapped[User] = relationship(back_populates="memberships", lazy="joined")


def find_user(name: str) -> User | None:
    """Find a user by name; only a valid name reaches the database."""
    query = db.select(User).filter_by(username=name)
    return db.session.scalar(query) if NAME.fullmatch(name) else None


def find_project(path: str) -> Project | None:
    """Find the project `owner/name`, or the project of an image below it."""
    owner, name, *_ = f"{path}//".split("/")
    query = db.select(Project).join(Project.owner)
    query = query.where(Project.name == name, User.username == owner)
    # One statement reads all that `Project.allows` needs: a project and a missing one
    # then cost the same, so the time of an answer does not reveal a private project.
    query = query.options(contains_eager(Project.owner), joinedload(Project.members))
    valid = NAME.fullmatch(owner) and NAME.fullmatch(name)
    return db.session.scalars(query).unique().one_or_none() if valid else None


def commit() -> bool:
    """Commit the changes, or return False if the name is taken."""
    # With a query first, two requests at once could both find the name free.
    try:
        db.session.commit()
    except sa.exc.IntegrityError:
        db.session.rollback()
        return False
    return True


def tune(connection: object, record: object) -> None:
    """Set up a new SQLite connection for several server processes."""
    if isinstance(connection, sqlite3.Connection):
        connection.executescript(
            """
            PRAGMA busy_timeout = 10000; -- writers wait instead of failing
            PRAGMA journal_mode = WAL;   -- readers and the writer do not wait
            PRAGMA synchronous = FULL;   -- commits survive a power cut
            PRAGMA foreign_keys = ON;    -- SQLite does not check them by default
            """
        )
