"""``flask oci check`` on functions of the host whose results may be kept."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from flask import Flask

from flask_oci import RepositoryInfo
from tests.support.check_world import check
from tests.support.check_world import SECRET
from tests.support.check_world import small_host
from tests.support.host import DATABASE_URL

MakeApp = t.Callable[..., Flask]

CODE = "cache-policy-unset"

has_versions = pytest.mark.skipif(
    (DATABASE_URL or "sqlite").startswith(("mysql", "mariadb")),
    reason="the database has no version",
)


def refuse(user: t.Any, action: str, image: RepositoryInfo) -> bool:
    """Refuse everything."""
    return False


@has_versions
@pytest.mark.parametrize(
    ("policy", "names"),
    [(None, "user_loader"), (refuse, "user_loader, authorize")],
    ids=["loader", "authorize"],
)
def test_check_without_decision_on_the_cache_notes_it(
    make_app: MakeApp, policy: t.Any, names: str
) -> None:
    """The note names the functions and does not let the check fail."""
    app = make_app(policy, SECRET_KEY=SECRET, TESTING=False)
    found = check(app).findings[CODE]
    assert found["severity"] == "note"
    assert found["detail"] == f"It concerns {names}."
    assert "OCI_CACHE_POLICY = False" in found["remedies"]["python"]


@pytest.mark.parametrize(
    "config",
    [
        {"OCI_CACHE_POLICY": True},
        {"OCI_CACHE_POLICY": "statements"},
        {"OCI_CACHE_POLICY": False},
        {"OCI_READ_CACHE": False},
    ],
    ids=str,
)
def test_check_with_decision_on_the_cache_notes_nothing(
    make_app: MakeApp, config: dict[str, object]
) -> None:
    """Either decision is right for some application."""
    app = make_app(SECRET_KEY=SECRET, TESTING=False, **config)
    assert CODE not in check(app).findings


@pytest.mark.skipif(
    (DATABASE_URL or "sqlite").startswith(("sqlite", "postgresql")),
    reason="the database has a version",
)
def test_check_on_database_without_version_notes_nothing(make_app: MakeApp) -> None:
    """The setting has no effect there."""
    assert CODE not in check(make_app(SECRET_KEY=SECRET, TESTING=False)).findings


def test_check_without_own_functions_notes_nothing(tmp_path: Path) -> None:
    """The registry's own functions depend on the database alone."""
    app = small_host(tmp_path)
    with app.app_context():
        app.extensions["sqlalchemy"].create_all()
    assert CODE not in check(app).findings
