from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from tests.support.host import Administrator

from .application import Host
from .application import with_users


@pytest.fixture(name="plain")
def _plain(tmp_path: Path, database_url: str) -> Flask:
    """An application with users, and without a registry yet.

    As in production, errors are answered and not raised.
    """
    app = with_users(Flask("forge", instance_path=str(tmp_path)), database_url)
    Administrator(app).start_afresh()
    return app


@pytest.fixture(name="make_host")
def _make_host(tmp_path: Path) -> t.Iterator[t.Callable[..., Host]]:
    """Return a function that creates an application with its own user model."""
    made: list[Host] = []

    def make_host(db: SQLAlchemy, User: type[t.Any], **kwargs: t.Any) -> Host:
        made.append(Host(tmp_path, db, User, **kwargs))
        return made[-1]

    yield make_host
    for host in made:
        host.close()
