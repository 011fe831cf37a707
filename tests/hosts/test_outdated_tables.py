"""A database with the tables of another version."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa

from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from tests.support.database_servers import SERVERS
from tests.support.registry_client import RegistryClient

from .application import database
from .application import Host
from .application import StandardUser
from .docker import tell_story


def made(folder: Path, url: str) -> Host:
    """Create an application and all tables in a database."""
    db = database()

    class User(StandardUser, db.Model):
        pass

    host = Host(folder, db, User, SQLALCHEMY_DATABASE_URI=url)
    host.app.register_blueprint(host.registry.web_blueprint, url_prefix="/images")
    return host


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> t.Iterator[Host]:
    host = made(tmp_path, "sqlite://")
    yield host
    host.close()


def execute(host: Host, *statements: str) -> None:
    """Execute statements directly in the database."""
    with host.app.app_context(), host.db.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


OUTDATED = (
    "ALTER TABLE oci_repository DROP COLUMN description",
    "DROP TABLE oci_login_failure",
)


def check_that_it_is_told(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """Check that the client's error and the log report the outdated tables."""
    execute(host, *OUTDATED)
    response = RegistryClient.of(host.app, "alice").get("/v2/")
    assert refusal(response) == (503, "UNAVAILABLE")
    (entry,) = errors(response)
    assert "upgrade" in entry["message"]
    assert "oci_login_failure" not in entry["message"]
    assert "lacks oci_repository.description, oci_login_failure" in caplog.text
    assert "flask oci tables --create" in caplog.text
    assert "flask db migrate" in caplog.text
    assert "create_all" not in caplog.text
    assert "Traceback" not in caplog.text


def test_request_with_outdated_tables_gets_503(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the missing columns or tables and the command to run."""
    check_that_it_is_told(host, caplog)


def test_request_after_migration_succeeds_without_restart(host: Host) -> None:
    """No restart is needed after the migration."""
    execute(host, *OUTDATED)
    alice = RegistryClient.of(host.app, "alice")
    assert alice.get("/v2/").status_code == 503
    with host.app.app_context():
        host.db.create_all()
    assert alice.get("/v2/").status_code == 200
    execute(host, "ALTER TABLE oci_repository ADD COLUMN description TEXT")
    tell_story(host.app)


def test_page_with_outdated_tables_reports_it(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    """The page reports it instead of an internal error."""
    execute(host, *OUTDATED)
    page = host.app.test_client().get("/images/")
    assert page.status_code == 503
    assert "upgrade" in page.text
    assert "oci_repository.description" in caplog.text


def test_command_with_outdated_tables_reports_it(host: Host) -> None:
    """The operator who runs the command can also run the migration."""
    execute(host, *OUTDATED)
    result = host.app.test_cli_runner().invoke(args=["oci", "repositories"])
    assert result.exit_code == 2
    assert "The database lacks oci_repository.description" in result.output


def test_host_error_about_missing_table_is_not_reported_as_outdated(host: Host) -> None:
    """A failed statement of the host about a missing table is the host's bug."""

    @host.registry.authorize
    def may(user: t.Any, action: str, repository: t.Any) -> bool:
        return bool(host.db.session.scalar(sa.text("SELECT 1 FROM projects")))

    response = RegistryClient.of(host.app, "alice").get("/v2/alice/app/tags/list")
    assert refusal(response)[0] in (500, 503)
    assert "upgrade" not in errors(response)[0]["message"]


@pytest.mark.real
@pytest.mark.parametrize("server", SERVERS)
def test_request_with_outdated_tables_on_database_server_gets_503(
    server: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same on each database server; their error messages differ."""
    with SERVERS[server](durable=False) as url:
        host = made(tmp_path, url)
        try:
            check_that_it_is_told(host, caplog)
        finally:
            host.close()
