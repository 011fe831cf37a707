"""Hosts whose database computes an attribute of a user, for example from the time."""

from __future__ import annotations

import typing as t
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import column_property
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from flask_oci import Registry
from flask_oci.testing.requests import basic


def test_account_that_expires_by_the_clock_of_the_database_ends(tmp_path: Path) -> None:
    """Nothing is committed when an account expires. Its user is read each time."""

    class Base(DeclarativeBase):
        pass

    db, hour = SQLAlchemy(model_class=Base), [1]

    class User(db.Model):  # type: ignore[misc, name-defined]
        id: Mapped[int] = mapped_column(primary_key=True)
        username: Mapped[str] = mapped_column(unique=True)
        last_hour: Mapped[int] = mapped_column()
        is_active: Mapped[bool] = column_property(
            sa.func.hour_now() <= sa.literal_column("user.last_hour", sa.Integer)
        )

    def set_clock(connection: t.Any, record: object) -> None:
        connection.create_function("hour_now", 0, lambda: hour[0])

    app = Flask("forge", instance_path=str(tmp_path))
    app.config.update(
        SECRET_KEY="only for tests",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/forge.sqlite",
    )
    db.init_app(app)
    registry = Registry(db, User)
    registry.init_app(app)
    with app.app_context():
        sa.event.listen(db.engine, "connect", set_clock)
        db.create_all()
        alice = User(username="alice", last_hour=1)
        db.session.add(alice)
        db.session.commit()
        secret = registry.access_tokens.issue(alice).secret
    client = app.test_client()
    headers = {"Authorization": basic("alice", secret)}
    for _ in range(3):
        assert client.get("/v2/", headers=headers).status_code == 200
    hour[0] = 2
    assert client.get("/v2/", headers=headers).status_code == 401
