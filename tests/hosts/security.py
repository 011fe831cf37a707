"""A host whose users Flask-Security manages."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from flask_security import RoleMixin
from flask_security import Security
from flask_security import SQLAlchemyUserDatastore
from flask_security import UserMixin
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from .application import database
from .application import Host

CONFIG: t.Final = {
    "SECURITY_PASSWORD_HASH": "plaintext",
    "SECURITY_PASSWORD_SINGLE_HASH": ["plaintext"],
    "SECURITY_PASSWORD_SALT": "only for tests",
}


class SecurityHost(t.NamedTuple):
    """An application with Flask-Security."""

    host: Host
    store: SQLAlchemyUserDatastore
    db: SQLAlchemy


def security_models(db: t.Any) -> tuple[t.Any, t.Any]:
    """Return the models of the users and of their roles."""
    members = sa.Table(
        "members",
        db.metadata,
        sa.Column("user_id", sa.ForeignKey("user.id"), primary_key=True),
        sa.Column("role_id", sa.ForeignKey("role.id"), primary_key=True),
    )

    class Role(RoleMixin, db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(sa.String(80), unique=True)

    class User(UserMixin, db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str] = mapped_column(sa.String(255), unique=True)
        username: Mapped[str] = mapped_column(sa.String(80), unique=True)
        password: Mapped[str] = mapped_column(sa.String(255))
        active: Mapped[bool]
        fs_uniquifier: Mapped[str] = mapped_column(sa.String(64), unique=True)
        roles: Mapped[list[Role]] = relationship(  # type: ignore[assignment]
            secondary=members
        )

    return User, Role


def security_host(make_host: t.Callable[..., Host]) -> SecurityHost:
    """Return an application whose users Flask-Security manages."""
    db = database()
    User, Role = security_models(db)

    def make(name: str, password: str) -> t.Any:
        return User(
            email=f"{name}@example.org",
            username=name,
            password=password,
            active=True,
            fs_uniquifier=f"unique-{name}",
        )

    host = make_host(db, User, users=make, login=False, **CONFIG)
    store = SQLAlchemyUserDatastore(db, User, Role)
    return SecurityHost(host, store, db)


def secure(made: SecurityHost) -> None:
    """Start Flask-Security, after all blueprints are registered."""
    Security(made.host.app, made.store)
