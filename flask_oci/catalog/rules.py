"""Rules of repositories, paths and owners: protection, quotas, retention and
visibility."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable
from functools import cache

import sqlalchemy as sa

from ..clock import utcnow
from ..errors import NameUnknown
from ..rules.paths import path_text
from ..rules.protection import check_protections
from ..rules.protection import Guard
from ..rules.protection import Protection
from .database import Condition
from .database import Database
from .models import Models
from .path_conditions import below
from .path_conditions import covers_by_index
from .path_conditions import path_applies
from .repository_info import namespace_of

#: The kinds of rules.
RuleKind = t.Literal["protect", "quota", "retain", "visibility", "policy"]


#: The maximum number of rules for paths of one namespace, without quotas.
MAX_PATH_RULES: t.Final = 1000


class TooManyRules(ValueError):
    """A namespace has the maximum number of rules for its paths."""


class RuleScope(t.NamedTuple):
    """The scope of a rule: a repository, a path, or all repositories of an owner."""

    repository_id: int | None = None
    owner_id: t.Any = None
    path: str | None = None
    """A stored path, such as ``website`` for ``website/*``. With ``owner_id``, the
    scope is the repositories of that owner in the path."""

    @property
    def column(self) -> tuple[str, t.Any]:
        """The column of the scope, and its value."""
        if self.repository_id is not None:
            return "repository_id", self.repository_id
        if self.path is not None:
            return "path", self.path
        return "owner_id", self.owner_id

    @property
    def path_owner_id(self) -> t.Any:
        """The owner of the repositories in the path; None is any owner."""
        return None if self.path is None else self.owner_id

    def selects(self, rules: sa.Table) -> Condition:
        """Return the condition for the rules of this scope. For an owner in a path,
        these include rules for all repositories of the path, and no rules of other
        owners."""
        column, key = self.column
        condition: Condition = rules.c[column] == key
        if self.path_owner_id is None:
            return condition
        return sa.and_(condition, path_applies(rules, sa.literal(self.owner_id)))


class StoredRule(t.NamedTuple):
    """A rule and its scope."""

    repository: str | None
    owner_id: t.Any
    path: str | None
    value: t.Any


class HeldRules(t.NamedTuple):
    """The values of the rules of one kind that apply to a repository; None is unset."""

    own: t.Any = None
    """The rule of the repository itself."""

    path: str | None = None
    """The longest path with a rule that contains the repository."""

    of_path: t.Any = None
    """The rule of that path. It takes precedence over shorter paths."""

    owners: t.Any = None
    """The rule of the owner of the repository."""

    @property
    def most_specific(self) -> tuple[t.Any, str | None]:
        """The value that takes precedence, and its path if it has one: the repository,
        the path, then the owner."""
        if self.own is not None:
            return self.own, None
        if self.of_path is not None:
            return self.of_path, self.path
        return self.owners, None


class Rules:
    """Sets rules, and finds those that apply."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, kind: RuleKind, holder: RuleScope, value: t.Any) -> None:
        """Set a rule, replacing the one of the same kind and scope.

        :raises NameUnknown: if the repository has been deleted.
        :raises TooManyRules: if the namespace of the path has too many rules.
        :raises UserDeleted: if the owner has been deleted.
        """
        Rule = self._db.models.Rule
        column, key = holder.column
        values = {"value": value, "changed_at": utcnow()}
        values["path_owner_id"] = holder.path_owner_id

        def work() -> None:
            self._lock(holder)
            self._check_number(kind, holder)
            self._db.upsert(Rule, {column: key, "kind": kind}, **values)

        self._db.write(work, by=holder.owner_id)

    def delete(self, kind: RuleKind, holder: RuleScope) -> bool:
        """Unset a rule.

        :return: True if it was set.
        """
        table = self._db.models.Rule.__table__
        statement = sa.delete(table).where(table.c.kind == kind, holder.selects(table))

        def work() -> int:
            self._lock(holder)
            return self._db.change(statement)

        return bool(self._db.write(work, by=holder.owner_id))

    def delete_below(self, path: str) -> int:
        """Delete all rules of a path and of the paths below it.

        :param path: the stored path.
        :return: the number of deleted rules.
        """
        table = self._db.models.Rule.__table__
        statement = sa.delete(table).where(below(table.c.path, path))
        return int(self._db.write(lambda: self._db.change(statement)))

    def _check_number(self, kind: RuleKind, holder: RuleScope) -> None:
        """Refuse a further rule of a path if its namespace has too many.

        Quotas are not counted, because only administrators set them.
        """
        if holder.path is None or kind == "quota":
            return
        table = self._db.models.Rule.__table__
        namespace = namespace_of(holder.path)
        others = sa.select(sa.func.count()).where(
            table.c.kind != "quota",
            below(table.c.path, namespace),
            sa.not_(sa.and_(table.c.path == holder.path, table.c.kind == kind)),
        )
        if (self._db.session.scalar(others) or 0) >= MAX_PATH_RULES:
            raise TooManyRules(
                f"The paths of {namespace!r} have {MAX_PATH_RULES} rules, which is the"
                " maximum. Unset some of them."
            )

    def _lock(self, holder: RuleScope) -> None:
        """Lock the repository of a scope, before its rules."""
        key = holder.repository_id
        if key is not None and self._db.lock_repository(key, changes=False) is None:
            raise NameUnknown

    def get(self, kind: RuleKind, holder: RuleScope) -> t.Any:
        """Return the value of the rule that is set for this scope, or None."""
        table = self._db.models.Rule.__table__
        return self._db.session.scalar(
            sa.select(table.c.value).where(table.c.kind == kind, holder.selects(table))
        )

    def list(self, kind: RuleKind) -> list[StoredRule]:
        """Return the rules of a kind: those of owners, then those of paths, and then
        those of repositories by name."""
        models = self._db.models
        Rule, Repository = models.Rule, models.Repository
        rows = self._db.session.execute(
            sa.select(
                Repository.name,
                sa.func.coalesce(Rule.owner_id, Rule.path_owner_id),
                Rule.path,
                Rule.value,
            )
            .join(Repository, Repository.id == Rule.repository_id, isouter=True)
            .where(Rule.kind == kind)
            .order_by(
                sa.case((Rule.repository_id.is_(None), 0), else_=1),
                sa.case((Rule.path.is_(None), 0), else_=1),
                Rule.owner_id,
                Rule.path,
                Repository.name,
            )
        )
        return [StoredRule(*row) for row in rows]

    def holding(self, kind: RuleKind, repository_id: int) -> HeldRules:
        """Return the rules that apply to a repository: its own, those of the longest
        path, and its owner's."""
        return holding(self._db, kind, repository_id)

    def protection(self, repository_id: int) -> Protection:
        """Return the tag protection of a repository, including that of the longest path
        and its owner's."""
        return protection(self._db, repository_id)


def holding(database: Database, kind: RuleKind, repository_id: int) -> HeldRules:
    """Return the rules that apply to a repository: its own, those of the longest path,
    and its owner's."""
    rows = database.session.execute(
        _holding(database.models),
        {"kind": kind, "repository_id": repository_id},
    )
    found = HeldRules()
    for value, of_repository, path in rows:
        if of_repository is not None:
            found = found._replace(own=value)
        elif path is None:
            found = found._replace(owners=value)
        elif len(path) > len(found.path or ""):
            found = found._replace(path=path, of_path=value)
    return found


def protections(database: Database, repository_id: int) -> list[Protection]:
    """Return the tag protections that apply to a repository. That of a path knows the
    path."""
    held = holding(database, "protect", repository_id)
    path = "" if held.path is None else path_text(held.path)
    values = ((held.own, ""), (held.of_path, path), (held.owners, ""))
    return [
        Protection.read(value, scope) for value, scope in values if value is not None
    ]


def protection(database: Database, repository_id: int) -> Protection:
    """Return the tag protection of a repository, including that of the longest path and
    its owner's."""
    found = Protection()
    for each in protections(database, repository_id):
        found |= each
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
        found = [guard.site, *protections(database, repository_id)]
        for name in names:
            check_protections(found, name, manages=guard.manages)


@cache
def _holding(models: Models) -> sa.CompoundSelect[t.Any]:
    """Return the statement for the rules of a repository, its owner and its paths."""
    rule, repository = models.Rule.__table__, models.Repository.__table__
    key: sa.BindParameter[int] = sa.bindparam("repository_id")
    is_kind = rule.c.kind == sa.bindparam("kind")
    owner = sa.select(repository.c.owner_id).where(repository.c.id == key)
    columns = (rule.c.value, rule.c.repository_id, rule.c.path)
    applies = covers_by_index(rule.c.path, repository.c.name)
    return sa.union_all(
        sa.select(*columns).where(
            is_kind,
            sa.or_(
                rule.c.repository_id == key,
                rule.c.owner_id == owner.scalar_subquery(),
            ),
        ),
        sa.select(*columns)
        .select_from(repository.join(rule, applies))
        .where(
            repository.c.id == key, is_kind, path_applies(rule, repository.c.owner_id)
        ),
    )
