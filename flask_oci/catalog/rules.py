"""Rules: protection, quotas and retention of repositories and owners."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable
from functools import cache

import sqlalchemy as sa

from ..clock import utcnow
from ..errors import NameUnknown
from ..rules.protection import Guard
from ..rules.protection import Protection
from .database import Database
from .models import Models

#: The kinds of rules.
RuleKind = t.Literal["protect", "quota", "retain"]


class RuleScope(t.NamedTuple):
    """The scope of a rule: a repository, or all repositories of an owner."""

    repository_id: int | None = None
    owner_id: t.Any = None


class StoredRule(t.NamedTuple):
    """A rule and its scope."""

    repository: str | None
    owner_id: t.Any
    value: t.Any


class Rules:
    """Sets rules, and finds those that apply."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, kind: RuleKind, holder: RuleScope, value: t.Any) -> None:
        """Set a rule, replacing the one of the same kind and scope.

        :raises NameUnknown: if the repository has been deleted.
        :raises UserDeleted: if the owner has been deleted.
        """
        Rule = self._db.models.Rule
        column, key = _column(holder)
        values = {"value": value, "changed_at": utcnow()}

        def work() -> None:
            self._lock(holder)
            self._db.upsert(Rule, {column: key, "kind": kind}, **values)

        self._db.write(work, by=holder.owner_id)

    def delete(self, kind: RuleKind, holder: RuleScope) -> bool:
        """Unset a rule.

        :return: True if it was set.
        """
        table = self._db.models.Rule.__table__
        column, key = _column(holder)
        statement = sa.delete(table).where(table.c.kind == kind, table.c[column] == key)

        def work() -> int:
            self._lock(holder)
            return self._db.change(statement)

        return bool(self._db.write(work, by=holder.owner_id))

    def _lock(self, holder: RuleScope) -> None:
        """Lock the repository of a scope, before its rules."""
        key = holder.repository_id
        if key is not None and self._db.lock_repository(key) is None:
            raise NameUnknown

    def get(self, kind: RuleKind, holder: RuleScope) -> t.Any:
        """Return the value of the rule that is set for this scope, or None."""
        table = self._db.models.Rule.__table__
        column, key = _column(holder)
        return self._db.session.scalar(
            sa.select(table.c.value).where(table.c.kind == kind, table.c[column] == key)
        )

    def list(self, kind: RuleKind) -> list[StoredRule]:
        """Return the rules of a kind, those of owners first, then those of repositories
        by name."""
        models = self._db.models
        Rule, Repository = models.Rule, models.Repository
        rows = self._db.session.execute(
            sa.select(Repository.name, Rule.owner_id, Rule.value)
            .join(Repository, Repository.id == Rule.repository_id, isouter=True)
            .where(Rule.kind == kind)
            .order_by(
                sa.case((Rule.repository_id.is_(None), 0), else_=1),
                Rule.owner_id,
                Repository.name,
            )
        )
        return [StoredRule(*row) for row in rows]

    def holding(self, kind: RuleKind, repository_id: int) -> tuple[t.Any, t.Any]:
        """Return the rules that apply to a repository: its own and its owner's. Either
        may be None."""
        return holding(self._db, kind, repository_id)

    def protection(self, repository_id: int) -> Protection:
        """Return the tag protection of a repository, including its owner's."""
        return protection(self._db, repository_id)


def holding(
    database: Database, kind: RuleKind, repository_id: int
) -> tuple[t.Any, t.Any]:
    """Return the rules that apply to a repository: its own and its owner's."""
    own = owners = None
    rows = database.session.execute(
        _holding(database.models), {"kind": kind, "repository_id": repository_id}
    )
    for value, of_repository in rows:
        if of_repository is None:
            owners = value
        else:
            own = value
    return own, owners


def protection(database: Database, repository_id: int) -> Protection:
    """Return the tag protection of a repository, including its owner's."""
    found = Protection()
    for value in holding(database, "protect", repository_id):
        if value is not None:
            found |= Protection.read(value)
    return found


def check_tag(database: Database, repository_id: int, name: str, guard: Guard) -> None:
    """Check that an existing tag may be changed, within the transaction that changes
    it.

    :param guard: the caller's permissions on protected tags.
    :raises Denied: if the tag is protected and the caller may not change it.
    """
    check_tags(database, repository_id, [name], guard)


def check_tags(
    database: Database, repository_id: int, names: Iterable[str], guard: Guard
) -> None:
    """Check that some existing tags may be changed, as :func:`check_tag` does.

    :raises Denied: if one is protected and the caller may not change it.
    """
    if not guard.repairs:
        found = guard.site | protection(database, repository_id)
        for name in names:
            found.check(name, manages=guard.manages)


@cache
def _holding(models: Models) -> sa.Select[t.Any]:
    rule, repository = models.Rule.__table__.c, models.Repository.__table__.c
    key: sa.BindParameter[int] = sa.bindparam("repository_id")
    owner = sa.select(repository.owner_id).where(repository.id == key)
    return sa.select(rule.value, rule.repository_id).where(
        rule.kind == sa.bindparam("kind"),
        sa.or_(rule.repository_id == key, rule.owner_id == owner.scalar_subquery()),
    )


def _column(holder: RuleScope) -> tuple[str, t.Any]:
    if holder.repository_id is not None:
        return "repository_id", holder.repository_id
    return "owner_id", holder.owner_id
