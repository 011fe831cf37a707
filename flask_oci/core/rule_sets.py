"""What a host, its command line and its pages lay down for repositories."""

from __future__ import annotations

import abc
import typing as t
from dataclasses import dataclass

from ..catalog.repository_info import name_of
from ..catalog.rules import RuleScope
from ..events import audit
from ..rules.protection import patterns
from ..rules.protection import Protection
from ..rules.quota import Quota
from ..rules.quota import QuotaUsage
from ..rules.retention import parse

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog.repository_info import RepositoryRef
    from ..catalog.rules import Kind

Value = t.TypeVar("Value")


@dataclass(frozen=True, slots=True)
class RuleEntry(t.Generic[Value]):
    """Something that has been laid down."""

    repository: str | None
    """The name of the repository that it is for, or None."""

    owner: str | None
    """The name of the user for whose repositories it is, or None."""

    value: Value
    """What it says."""


class RuleBook(abc.ABC, t.Generic[Value]):
    """Rules of one kind. Each is for a repository, or for everything that a user owns.

    Nobody is asked for permission here: the host has done so. A repository is given by
    its name, or as it was found when that was asked: then whatever has got its name
    since is left alone.
    """

    kind: t.ClassVar[Kind]

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def unset(
        self,
        *,
        repository: RepositoryRef | None = None,
        owner: t.Any = None,
        by: t.Any = None,
    ) -> bool:
        """Take back what was laid down.

        :param repository: the name of the repository that it was for.
        :param owner: the user for whose repositories it was, where that is so.
        :param by: the user who wants it, for the audit.
        :return: whether there was anything.
        :raises NameUnknown: when there is no such repository.
        """
        holder = self._holder(repository, owner)
        gone = self._catalog.rules.delete(self.kind, holder)
        if gone:
            self._record(by, repository, owner, "nothing")
        return gone

    def get(
        self, *, repository: RepositoryRef | None = None, owner: t.Any = None
    ) -> Value:
        """Return what is laid down for just that.

        :param repository: the name of a repository.
        :param owner: one of the host's users, in its place.
        :raises NameUnknown: when there is no such repository.
        """
        return self._read(
            self._catalog.rules.get(self.kind, self._holder(repository, owner))
        )

    def list(self) -> list[RuleEntry[Value]]:
        """List everything that is laid down."""
        found = self._catalog.rules.list(self.kind)
        names = self._catalog.users.names(row.owner_id for row in found)
        return [
            RuleEntry(row.repository, names.get(row.owner_id), self._read(row.value))
            for row in found
        ]

    @abc.abstractmethod
    def _read(self, value: t.Any) -> Value:
        """Read what is recorded; None is nothing."""

    def _put(
        self,
        value: t.Any,
        text: str,
        repository: RepositoryRef | None,
        owner: t.Any,
        by: t.Any,
    ) -> None:
        self._catalog.rules.put(self.kind, self._holder(repository, owner), value)
        self._record(by, repository, owner, text)

    def _holder(self, repository: RepositoryRef | None, owner: t.Any) -> RuleScope:
        if (repository is None) == (owner is None):
            raise ValueError("A rule is for a repository, or for an owner.")
        if repository is None:
            return RuleScope(owner_id=self._catalog.users.key_of(owner))
        if isinstance(repository, str):
            repository = self._catalog.repositories.get(repository)
        return RuleScope(repository_id=repository.key)

    def _record(
        self, by: t.Any, repository: RepositoryRef | None, owner: t.Any, text: str
    ) -> None:
        users = self._catalog.users
        told = {} if owner is None else {"owner": users.namespace_of(owner)}
        name = None if repository is None else name_of(repository)
        audit.record(
            "rule-changed", users.name_of(by), name, **told, **{self.kind: text}
        )


class Protections(RuleBook[Protection]):
    """Which tags not everybody who may push can move or delete:
    ``registry.tag_protection``."""

    kind = "protect"

    def set(
        self,
        *,
        repository: RepositoryRef | None = None,
        owner: t.Any = None,
        protected: t.Iterable[str] = (),
        immutable: t.Iterable[str] = (),
        by: t.Any = None,
    ) -> None:
        """Lay down which tags are protected, in the place of what was laid down.

        :param repository: the name of the repository that it is for.
        :param owner: one of the host's users, where it is for all of theirs.
        :param protected: patterns of tags that only who may ``manage`` the repository
            can move or delete.
        :param immutable: patterns of tags that nobody can.
        :param by: the user who wants it, for the audit.
        :raises ValueError: when a pattern is none.
        :raises NameUnknown: when there is no such repository.
        """
        value = {
            "protected": patterns(protected),
            "immutable": patterns(immutable),
        }
        text = " ".join([*value["protected"], *(f"={p}" for p in value["immutable"])])
        self._put(value, text, repository, owner, by)

    def _read(self, value: t.Any) -> Protection:
        return Protection() if value is None else Protection.read(value)


class Retention(RuleBook[tuple[str, ...]]):
    """Which tags and manifests may go: ``registry.retention``."""

    kind = "retain"

    def set(
        self,
        rules: t.Iterable[str],
        *,
        repository: RepositoryRef | None = None,
        owner: t.Any = None,
        by: t.Any = None,
    ) -> None:
        """Lay rules down, in the place of what was laid down.

        :param rules: sentences, such as ``keep 10 newest`` and ``delete * not pulled
            for 90 days``.
        :param repository: the name of the repository that they are for.
        :param owner: one of the host's users, where they are for all of theirs that
            have no rules of their own.
        :param by: the user who wants it, for the audit.
        :raises ValueError: when one is no rule, or they could delete nothing.
        :raises NameUnknown: when there is no such repository.
        """
        texts = [rule.text for rule in parse(rules)]
        if not texts:
            raise ValueError("Give some rules, or take back those that there are.")
        self._put(texts, "; ".join(texts), repository, owner, by)

    def _read(self, value: t.Any) -> tuple[str, ...]:
        return tuple(value or ())


class Quotas(RuleBook[Quota]):
    """How much a repository, or everything of an owner's, may be:
    ``registry.quotas``."""

    kind = "quota"

    def set(
        self,
        *,
        repository: RepositoryRef | None = None,
        owner: t.Any = None,
        bytes: int | None = None,
        images: int | None = None,
        by: t.Any = None,
    ) -> None:
        """Lay a quota down, in the place of what was laid down.

        :param repository: the name of the repository that it is for.
        :param owner: one of the host's users, where it is for all that they own.
        :param bytes: how many there may be; None is any number.
        :param images: how many of them may have a tag; None is any number.
        :param by: the user who wants it, for the audit.
        :raises ValueError: when a number is below zero.
        :raises NameUnknown: when there is no such repository.
        """
        for number in (bytes, images):
            if number is not None and number < 0:
                raise ValueError("A quota is no number below zero.")
        value = {"bytes": bytes, "images": images}
        text = " ".join(f"{key}={number}" for key, number in value.items())
        self._put(value, text, repository, owner, by)

    def show(
        self, *, repository: RepositoryRef | None = None, owner: t.Any = None
    ) -> QuotaUsage:
        """Return how much is used, of how much.

        :param repository: the name of a repository.
        :param owner: one of the host's users, in its place.
        :raises NameUnknown: when there is no such repository.
        """
        holder = self._holder(repository, owner)
        if repository is None:
            name = self._catalog.users.namespace_of(owner)
        else:
            name = name_of(repository)
        return self._catalog.quotas.standing(holder, name)

    def _read(self, value: t.Any) -> Quota:
        return Quota() if value is None else Quota.read(value)
