"""The findings of ``flask oci check`` about database servers."""

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
def test_check_of_default_server_finds_nothing(server: Server, tmp_path: Path) -> None:
    """The default settings are correct."""
    with server() as url:
        assert codes(tmp_path, url) == set()


@pytest.mark.parametrize("server", [postgresql, mariadb])
def test_check_of_server_without_durability_reports_it(
    server: Server, tmp_path: Path
) -> None:
    """A power cut could lose a push."""
    with server(durable=False) as url:
        found = findings(tmp_path, url)
        assert set(found) == {"database-not-durable"}
        assert [*found["database-not-durable"]["remedies"]] == [server.__name__]


@pytest.mark.parametrize("server", [postgresql, mariadb])
def test_check_of_pool_without_pre_ping_reports_it(
    server: Server, tmp_path: Path
) -> None:
    """Connections break when the server restarts; one that is not kept cannot."""
    with server() as url:
        none: dict[str, t.Any] = {}
        found = codes(tmp_path, url, SQLALCHEMY_ENGINE_OPTIONS=none)
        assert found == {"database-no-pre-ping"}
        none = {"poolclass": sa.pool.NullPool}
        assert codes(tmp_path, url, SQLALCHEMY_ENGINE_OPTIONS=none) == set()


def test_check_of_repeatable_read_reports_it(tmp_path: Path) -> None:
    """The check reports REPEATABLE READ on PostgreSQL, and not SERIALIZABLE."""
    with postgresql() as url:
        for level, found in (
            ("REPEATABLE READ", {"database-isolation"}),
            ("SERIALIZABLE", set()),
        ):
            options = {"isolation_level": level, "pool_pre_ping": True}
            assert codes(tmp_path, url, SQLALCHEMY_ENGINE_OPTIONS=options) == found


def test_check_of_myisam_tables_reports_them(tmp_path: Path) -> None:
    """The check reports MyISAM, the default engine of old servers."""
    with mariadb() as url:
        engine = sa.create_engine(url)
        codes(tmp_path, url)
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE oci_revocation ENGINE = MyISAM"))
        engine.dispose()
        assert codes(tmp_path, url) == {"mariadb-engine"}


def codes(folder: Path, url: str, **config: t.Any) -> set[str]:
    """Return the codes of the findings in a small application with that database."""
    return set(findings(folder, url, **config))


def findings(folder: Path, url: str, **config: t.Any) -> dict[str, dict[str, t.Any]]:
    """Return the findings in a small application with that database."""
    config = {"SQLALCHEMY_ENGINE_OPTIONS": {"pool_pre_ping": True}, **config}
    app = small_host(folder, SQLALCHEMY_DATABASE_URI=url, **config)
    db = app.extensions["sqlalchemy"]
    with app.app_context():
        db.create_all()
    try:
        return check(app).findings
    finally:
        with app.app_context():
            db.engine.dispose()
