"""Helpers for the tests of ``flask oci check``: a run of it, and small hosts."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_oci import Registry
from tests.support.host import DATABASE_URL

#: A key that is in no list of well-known keys.
SECRET = "2f0e4cbb8d1a47c6a9d3b57e6f81c902"

#: The findings of every application of the tests: their databases are not durable, they
#: do not say whether their functions may be cached, and nothing runs the collection.
USUAL = frozenset(
    {
        "database-no-pre-ping",
        "database-not-durable",
        "cache-policy-unset",
        "collection-missing",
    }
    if DATABASE_URL
    else {
        "sqlite-not-wal",
        "database-not-durable",
        "sqlite-foreign-keys",
        "cache-policy-unset",
        "collection-missing",
    }
)


@dataclass(frozen=True)
class Result:
    """The output of the check."""

    status: int
    findings: dict[str, dict[str, t.Any]]
    """The findings by code."""

    skipped: list[str]

    @property
    def codes(self) -> set[str]:
        """The codes of the findings, without the usual ones."""
        return set(self.findings) - USUAL


def check(app: Flask, *arguments: str) -> Result:
    """Run the command on an application, and check that it leaves nothing behind."""
    before = contents(app)
    done = app.test_cli_runner().invoke(args=["oci", "check", "--json", *arguments])
    if not isinstance(done.exception, SystemExit | None):
        raise done.exception
    after = contents(app)
    assert after == before
    fields = json.loads(done.stdout)
    findings = {finding["code"]: finding for finding in fields["findings"]}
    assert len(findings) == len(fields["findings"])
    faults = [f for f in fields["findings"] if f["severity"] != "note"]
    assert done.exit_code == int(bool(faults))
    return Result(done.exit_code, findings, fields["skipped"])


def contents(app: Flask) -> tuple[list[Path], dict[str, int]]:
    """Return the files in the storage folder, and the number of rows of each table.

    The identity of the folder and the row of the totals are left out, because the
    first push creates them, and so is the row of a node, because each server has one.
    """
    folder = Path(app.extensions["oci"].config.storage_path)
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    left_out = ("oci_storage", "oci_total", "oci_node")
    db: SQLAlchemy = app.extensions["sqlalchemy"]
    with app.app_context():
        try:
            found = sa.inspect(db.engine).get_table_names()
        except sa.exc.OperationalError:
            return files, {}
        rows = {
            name: db.session.scalar(sa.text(f"SELECT count(*) FROM {name}"))
            for name in found
            if name.startswith("oci_") and name not in left_out
        }
    ignored = {"locks", "identity"}
    return [p for p in files if ignored.isdisjoint(p.parts)], rows


def small_host(
    folder: Path,
    *,
    unique: bool = True,
    app: Flask | None = None,
    place: dict[str, str] | None = None,
    **config: object,
) -> Flask:
    """Create an application with its own database, users and registry.

    :param unique: whether user names are unique.
    :param app: the application, if it is a special one.
    :param place: the options with which the blueprint is registered.
    """
    db = SQLAlchemy()

    class User(db.Model):  # type: ignore[name-defined, misc]
        id = sa.Column(sa.Integer, primary_key=True)
        username = sa.Column(sa.String(80), unique=unique)
        is_active = sa.Column(sa.Boolean, default=True)

    app = app or Flask("small", instance_path=str(folder))
    app.config.from_mapping(
        SECRET_KEY=SECRET, SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/small.sqlite"
    )
    app.config.from_mapping(config)
    db.init_app(app)
    registry = Registry(db, User)
    registry.authenticate(lambda username, secret: None)
    app.register_blueprint(registry.blueprint, **(place or {}))
    app.extensions["users"] = User
    app.extensions["registry"] = registry
    return app
