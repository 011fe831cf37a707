"""A database whose tables are those of another version."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask_login import UserMixin
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from tests.support.database_servers import SERVERS
from tests.support.registry_client import RegistryClient

from .application import database
from .application import Host
from .docker import tell_story


def made(folder: Path, url: str) -> Host:
    """Make an application in a database, with all tables."""
    db = database()

    class User(UserMixin, db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)
        username: Mapped[str] = mapped_column(sa.String(80), unique=True)
        password: Mapped[str] = mapped_column(sa.String(80))

    host = Host(folder, db, User, SQLALCHEMY_DATABASE_URI=url)
    host.app.register_blueprint(host.registry.web_blueprint, url_prefix="/images")
    return host


@pytest.fixture(name="host")
def _host(tmp_path: Path) -> t.Iterator[Host]:
    host = made(tmp_path, "sqlite://")
    yield host
    host.close()


def execute(host: Host, *statements: str) -> None:
    """Change the database behind the application's back."""
    with host.app.app_context(), host.db.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


OUTDATED = (
    "ALTER TABLE oci_repository DROP COLUMN description",
    "DROP TABLE oci_login_failure",
)


def check_that_it_is_told(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """Hold that docker, and the log, hear of what is missing."""
    execute(host, *OUTDATED)
    response = RegistryClient.of(host.app, "alice").get("/v2/")
    assert refusal(response) == (503, "UNAVAILABLE")
    (entry,) = errors(response)
    assert "upgrade" in entry["message"]
    assert "oci_login_failure" not in entry["message"]
    assert "lacks oci_repository.description, oci_login_failure" in caplog.text
    assert "flask db migrate" in caplog.text
    assert "Traceback" not in caplog.text


def test_docker_is_told(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """It is answered 503, and the log names what is missing and what to do."""
    check_that_it_is_told(host, caplog)


def test_what_is_made_good(host: Host) -> None:
    """Once the tables are there, nobody has to start anything anew."""
    execute(host, *OUTDATED)
    alice = RegistryClient.of(host.app, "alice")
    assert alice.get("/v2/").status_code == 503
    with host.app.app_context():
        host.db.create_all()
    assert alice.get("/v2/").status_code == 200
    execute(host, "ALTER TABLE oci_repository ADD COLUMN description TEXT")
    tell_story(host.app)


def test_a_page_says_so(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """So does a page, in place of one about a bug."""
    execute(host, *OUTDATED)
    page = host.app.test_client().get("/images/")
    assert page.status_code == 503
    assert "upgrade" in page.text
    assert "oci_repository.description" in caplog.text


def test_a_command_says_so(host: Host) -> None:
    """So does a command, which is typed by who can do something about it."""
    execute(host, *OUTDATED)
    result = host.app.test_cli_runner().invoke(args=["oci", "repositories"])
    assert result.exit_code == 2
    assert "The database lacks oci_repository.description" in result.output


def test_other_failures_are_not_blamed_on_the_tables(host: Host) -> None:
    """A host's own statement about a table that is not there is its own bug."""

    @host.registry.authorize
    def may(user: t.Any, action: str, repository: t.Any) -> bool:
        return bool(host.db.session.scalar(sa.text("SELECT 1 FROM projects")))

    response = RegistryClient.of(host.app, "alice").get("/v2/alice/app/tags/list")
    assert refusal(response)[0] in (500, 503)
    assert "upgrade" not in errors(response)[0]["message"]


@pytest.mark.real
@pytest.mark.parametrize("server", SERVERS)
def test_docker_is_told_on(
    server: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same on a database server, each of which says it otherwise."""
    with SERVERS[server](durable=False) as url:
        host = made(tmp_path, url)
        try:
            check_that_it_is_told(host, caplog)
        finally:
            host.close()
