"""What the check says about database servers."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.check_world import check
from tests.support.check_world import small_host
from tests.support.database_servers import mariadb
from tests.support.database_servers import postgresql

pytestmark = pytest.mark.real

Server = t.Callable[..., t.ContextManager[str]]


@pytest.mark.parametrize("server", [postgresql, mariadb])
def test_a_server_as_it_comes(server: Server, tmp_path: Path) -> None:
    """Nothing is wrong with its defaults."""
    with server() as url:
        assert codes(tmp_path, url) == set()


@pytest.mark.parametrize("server", [postgresql, mariadb])
def test_a_server_that_was_made_quick(server: Server, tmp_path: Path) -> None:
    """A push could be gone after a power cut."""
    with server(durable=False) as url:
        assert codes(tmp_path, url) == {"database-not-durable"}


def test_transactions_that_read_the_past(tmp_path: Path) -> None:
    """PostgreSQL's REPEATABLE READ, and not SERIALIZABLE."""
    with postgresql() as url:
        for level, found in (
            ("REPEATABLE READ", {"database-isolation"}),
            ("SERIALIZABLE", set()),
        ):
            options = {"isolation_level": level}
            assert codes(tmp_path, url, SQLALCHEMY_ENGINE_OPTIONS=options) == found


def test_tables_without_transactions(tmp_path: Path) -> None:
    """MyISAM, which old servers have made of everything."""
    with mariadb() as url:
        engine = sa.create_engine(url)
        codes(tmp_path, url)
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE oci_revocation ENGINE = MyISAM"))
        engine.dispose()
        assert codes(tmp_path, url) == {"mariadb-engine"}


def codes(folder: Path, url: str, **config: t.Any) -> set[str]:
    """Return what the check finds in a small application with that database."""
    app = small_host(folder, SQLALCHEMY_DATABASE_URI=url, **config)
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        db.create_all()
    try:
        return set(check(app).findings)
    finally:
        with app.app_context():
            db.engine.dispose()
