"""Values that are kept while their statements return the same rows."""

from __future__ import annotations

import typing as t

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci import RepositoryInfo
from tests.conftest import MakeApp
from tests.support.credentials import by_access_token
from tests.support.host import db
from tests.support.host import registry
from tests.support.host import User
from tests.support.registry_client import RegistryClient

from .test_read_cache import commit
from .test_read_cache import has_versions
from .test_read_cache import MANIFEST
from .test_read_cache import NAME

Repository = registry.models.Repository


def set_password(name: str, password: str) -> sa.Update:
    """Return the statement that changes the password of a user."""
    return sa.update(User).where(User.username == name).values(password=password)


def set_visibility(visibility: str) -> sa.Update:
    """Return the statement that changes the visibility of one repository."""
    changing = sa.update(Repository).where(Repository.name == "alice/role")
    return changing.values(visibility=visibility)


#: A column of the host in which a role is stored.
ROLE = sa.select(User.password).where(User.username == "carol")

AskRole = t.Callable[[User | None], object]


def by_select(user: User | None) -> object:
    return db.session.scalar(ROLE)


def by_object(user: User | None) -> object:
    return user and user.password


def by_text(user: User | None) -> object:
    table = db.engine.dialect.identifier_preparer.quote("user")
    return db.session.scalar(
        sa.text(f"SELECT password FROM {table} WHERE username = :name"),
        {"name": "carol"},
    )


def by_other_engine(user: User | None) -> object:
    engine = sa.create_engine(db.engine.url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return connection.scalar(ROLE)


def by_registry(user: User | None) -> object:
    return registry.repositories.find("alice/role").visibility == "public" and "curator"


#: The statements that make bob a curator, and that dismiss him.
CHANGES: dict[AskRole, tuple[sa.Update, sa.Update]] = {
    by_select: (set_password("carol", "curator"), set_password("carol", "singer")),
    by_text: (set_password("carol", "curator"), set_password("carol", "singer")),
    by_other_engine: (
        set_password("carol", "curator"),
        set_password("carol", "singer"),
    ),
    by_object: (set_password("bob", "curator"), set_password("bob", "builder")),
    by_registry: (set_visibility("public"), set_visibility("private")),
}


class Asked(t.NamedTuple):
    """An application, a caller, and the users for which it asked its policy."""

    app: Flask
    bob: RegistryClient
    times: list[object]

    def status(self) -> int:
        """Return the answer to a pull by bob."""
        return self.bob.get(MANIFEST).status_code


def asked(make_app: MakeApp, ask_role: AskRole, **config: object) -> Asked:
    """Return an application that lets bob pull while he is a curator, after a pull."""
    times: list[object] = []

    def may(user: User | None, action: str, image: RepositoryInfo) -> bool:
        times.append(user)
        return registry.default_policy(user, action, image) or (
            user is not None and ask_role(user) == "curator"
        )

    app = make_app(may, **config)
    alice = RegistryClient.of(app, "alice")
    alice.push_image("alice/role", "v1")
    alice.push_image(NAME, "v1")
    token = by_access_token(app, "bob")
    commit(app, CHANGES.get(ask_role, CHANGES[by_select])[0])
    found = Asked(app, token.bearer(f"repository:{NAME}:pull"), times)
    # The user is kept when the policy is asked first.
    assert found.bob.get("/v2/").status_code == 200
    assert [found.status() for _ in range(3)] == [200] * 3
    times.clear()
    return found


@has_versions
@pytest.mark.parametrize("ask_role", [by_select, by_object, by_registry])
def test_policy_is_asked_again_only_after_a_change_of_its_rows(
    make_app: MakeApp, ask_role: AskRole
) -> None:
    """The rows are those that it reads, and those of its user."""
    host = asked(make_app, ask_role, OCI_CACHE_POLICY="statements")
    commit(host.app, set_password("alice", "other"))
    assert host.status() == 200
    assert host.times == []
    commit(host.app, CHANGES[ask_role][1])
    assert host.status() == 404
    assert host.times != []


@pytest.mark.parametrize("ask_role", [by_text, by_other_engine])
def test_policy_that_reads_in_other_ways_is_asked_after_each_commit(
    make_app: MakeApp, ask_role: AskRole
) -> None:
    """A statement that is not known to only read makes a trace useless, and ``True``
    allows ways to read the database that the registry does not see."""
    setting = "statements" if ask_role is by_text else True
    host = asked(make_app, ask_role, OCI_CACHE_POLICY=setting)
    commit(host.app, set_password("alice", "other"))
    assert host.status() == 200
    assert host.times != []
    commit(host.app, CHANGES[ask_role][1])
    assert host.status() == 404


@has_versions
def test_statement_after_other_rows_is_not_executed(make_app: MakeApp) -> None:
    """A function that reads something else now may not execute its next statement,
    whose table may be gone."""
    table = sa.Table("curators", sa.MetaData(), sa.Column("name", sa.String(80)))

    def ask_role(user: User | None) -> object:
        if db.session.scalar(ROLE) == "curator":
            db.session.scalars(sa.select(table.c.name)).all()
        return "curator"

    app = make_app()
    commit(app, "DROP TABLE IF EXISTS curators")
    commit(app, "CREATE TABLE curators (name VARCHAR(80))")
    host = asked(make_app, ask_role, OCI_CACHE_POLICY="statements")
    commit(host.app, CHANGES[by_select][1])
    commit(host.app, "DROP TABLE curators")
    assert host.status() == 200
    assert host.times != []
