"""Rule books: the rules of one kind, each set for a repository, a path or an owner."""

from __future__ import annotations

import abc
import typing as t
from dataclasses import dataclass

from ..catalog.repository_info import name_of
from ..catalog.rules import RuleScope
from ..events import audit
from ..rules.paths import parse_path
from ..rules.paths import path_text

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog.repository_info import RepositoryRef
    from ..catalog.rules import RuleKind

Value = t.TypeVar("Value")


@dataclass(frozen=True, slots=True)
class RuleEntry(t.Generic[Value]):
    """A rule that is set for a repository, a path or an owner. The other two are None,
    except for a path whose rule applies to the repositories of one owner."""

    repository: str | None
    """The name of the repository."""

    owner: str | None
    """The name of the owner."""

    value: Value
    """The value of the rule."""

    path: str | None = None
    """The path, such as ``website/*``. With an owner, the rule applies to their
    repositories in the path."""


class RuleBook(abc.ABC, t.Generic[Value]):
    """Rules of one kind. Each is for one repository, for a path, or for all
    repositories of an owner.

    The path ``website/*`` is the repository ``website`` and every repository below it,
    whichever user owns them. With an owner, it is those that this user owns: the rule
    ends with the user, and does not apply to repositories that get another owner. Of
    several paths that contain a repository, the longest one with a rule applies.

    These methods do not check permissions: the host has done so. A repository is given
    by its name, or as an object that the host has looked up. An object never matches
    another repository that has taken the name since.
    """

    kind: t.ClassVar[RuleKind]

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def unset(
        self,
        *,
        repository: RepositoryRef | None = None,
        owner: t.Any = None,
        path: str | None = None,
        by: t.Any = None,
    ) -> bool:
        """Delete a rule.

        :param repository: the repository that the rule is for.
        :param owner: one of the host's users, if the rule is for an owner. With a path,
            only a rule that applies to the repositories of this owner is deleted.
        :param path: the path, such as ``website/*``, if the rule is for a path.
        :param by: the user who makes the change, for the audit log.
        :return: True if there was a rule.
        :raises NameUnknown: if there is no such repository.
        """
        scope = self._scope(repository, owner, path)
        is_deleted = self._catalog.rules.delete(self.kind, scope)
        if is_deleted:
            self._record(by, repository, owner, path, "nothing")
        return is_deleted

    def get(
        self,
        *,
        repository: RepositoryRef | None = None,
        owner: t.Any = None,
        path: str | None = None,
    ) -> Value:
        """Return the value of exactly this rule, without the rules that it overrides.

        :param repository: the repository that the rule is for.
        :param owner: one of the host's users, if the rule is for an owner. With a path,
            a rule for other owners is left out.
        :param path: the path, such as ``website/*``, if the rule is for a path.
        :raises NameUnknown: if there is no such repository.
        """
        scope = self._scope(repository, owner, path)
        return self._read(self._catalog.rules.get(self.kind, scope))

    def list(self) -> list[RuleEntry[Value]]:
        """Return all rules of this kind."""
        found = self._catalog.rules.list(self.kind)
        names = self._catalog.users.names(row.owner_id for row in found)
        return [
            RuleEntry(
                row.repository,
                names.get(row.owner_id),
                self._read(row.value),
                None if row.path is None else path_text(row.path),
            )
            for row in found
        ]

    @abc.abstractmethod
    def _read(self, value: t.Any) -> Value:
        """Return the value of a stored rule; None means that no rule is set."""

    def _put(
        self,
        value: t.Any,
        text: str,
        repository: RepositoryRef | None,
        owner: t.Any,
        path: str | None,
        by: t.Any,
    ) -> None:
        scope = self._scope(repository, owner, path)
        self._catalog.rules.put(self.kind, scope, value)
        self._record(by, repository, owner, path, text)

    def _scope(
        self, repository: RepositoryRef | None, owner: t.Any, path: str | None
    ) -> RuleScope:
        if path is None and (repository is None) is (owner is None):
            raise ValueError("Give either a repository, a path or an owner.")
        if path is not None and repository is not None:
            raise ValueError("Give either a repository or a path.")
        if path is not None:
            return RuleScope(
                path=_stored(path), owner_id=self._catalog.users.key_of(owner)
            )
        if repository is None:
            return RuleScope(owner_id=self._catalog.users.key_of(owner))
        if isinstance(repository, str):
            repository = self._catalog.repositories.get(repository)
        return RuleScope(repository_id=repository.key)

    def _record(
        self,
        by: t.Any,
        repository: RepositoryRef | None,
        owner: t.Any,
        path: str | None,
        text: str,
    ) -> None:
        users = self._catalog.users
        detail = {} if owner is None else {"owner": users.namespace_of(owner)}
        if path is not None:
            detail["path"] = path
        name = None if repository is None else name_of(repository)
        audit.record(
            "rule-changed", users.name_of(by), name, **detail, **{self.kind: text}
        )


def _stored(path: str) -> str:
    """Return a path as the database stores it.

    :raises ValueError: if it is invalid, or contains all repositories.
    """
    stored = parse_path(path)
    if not stored:
        raise ValueError(
            "The path '*' has no rules: the configuration has those of all"
            " repositories."
        )
    return stored
