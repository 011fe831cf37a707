"""Rule sets for hosts, the command line and the pages: tag protection, retention,
quotas and default visibilities."""

from __future__ import annotations

import abc
import typing as t
from dataclasses import dataclass

from ..catalog.repository_info import name_of
from ..catalog.rules import RuleScope
from ..events import audit
from ..rules.image_policy import parse as parse_policy
from ..rules.paths import parse_path
from ..rules.paths import path_text
from ..rules.protection import patterns
from ..rules.protection import Protection
from ..rules.quota import Quota
from ..rules.quota import QuotaUsage
from ..rules.retention import parse
from ..rules.visibility import VISIBILITIES

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


class Protections(RuleBook[Protection]):
    """Tags that are protected or immutable: ``registry.tag_protection``."""

    kind = "protect"

    def set(
        self,
        *,
        repository: RepositoryRef | None = None,
        owner: t.Any = None,
        path: str | None = None,
        protected: t.Iterable[str] = (),
        immutable: t.Iterable[str] = (),
        by: t.Any = None,
    ) -> None:
        """Set the protected and immutable tags, and replace an earlier rule.

        :param repository: the repository that the rule is for.
        :param owner: one of the host's users, if the rule is for all of their
            repositories.
        :param path: the path, such as ``website/*``, if the rule is for a path.
        :param protected: patterns of tags that only users who may ``manage`` the
            repository can move or delete.
        :param immutable: patterns of tags that no user can move or delete.
        :param by: the user who makes the change, for the audit log.
        :raises ValueError: if a pattern is invalid.
        :raises NameUnknown: if there is no such repository.
        """
        value = {
            "protected": patterns(protected),
            "immutable": patterns(immutable),
        }
        text = " ".join([*value["protected"], *(f"={p}" for p in value["immutable"])])
        self._put(value, text, repository, owner, path, by)

    def _read(self, value: t.Any) -> Protection:
        return Protection() if value is None else Protection.read(value)


class Retention(RuleBook[tuple[str, ...]]):
    """Rules that delete old tags and manifests: ``registry.retention``."""

    kind = "retain"

    def set(
        self,
        rules: t.Iterable[str],
        *,
        repository: RepositoryRef | None = None,
        owner: t.Any = None,
        path: str | None = None,
        by: t.Any = None,
    ) -> None:
        """Set the retention rules, and replace earlier ones.

        :param rules: sentences, such as ``keep 10 newest`` and ``delete * not pulled
            for 90 days``.
        :param repository: the repository that the rules are for.
        :param owner: one of the host's users, if the rules are for all of their
            repositories that have no rules of their own.
        :param path: the path, such as ``website/*``, if the rules are for a path.
        :param by: the user who makes the change, for the audit log.
        :raises ValueError: if a rule is invalid, or the rules could not delete
            anything.
        :raises NameUnknown: if there is no such repository.
        """
        texts = [rule.text for rule in parse(rules)]
        if not texts:
            raise ValueError("No rules given. Use unset to delete the rules.")
        self._put(texts, "; ".join(texts), repository, owner, path, by)

    def _read(self, value: t.Any) -> tuple[str, ...]:
        return tuple(value or ())


class ImagePolicies(RuleBook[tuple[str, ...]]):
    """Signatures and scans that images need to be pulled: ``registry.image_policies``.

    The rules of a repository, of the longest path with rules that contains it, and of
    the configuration (:data:`OCI_IMAGE_POLICY`) all apply.
    """

    kind = "policy"

    def set(
        self,
        rules: t.Iterable[str],
        *,
        repository: RepositoryRef | None = None,
        path: str | None = None,
        owner: t.Any = None,
        by: t.Any = None,
    ) -> None:
        """Set the rules, and replace earlier ones.

        :param rules: sentences, such as ``require signature by release`` and ``refuse
            critical older than 7 days by scanner``.
        :param repository: the repository that the rules are for.
        :param path: the path, such as ``website/*``, if the rules are for a path.
        :param owner: one of the host's users, if the rules are for the repositories of
            this user in the path.
        :param by: the user who makes the change, for the audit log.
        :raises ValueError: if a rule is invalid, or the rules require and refuse
            nothing.
        :raises NameUnknown: if there is no such repository.
        """
        texts = [rule.text for rule in parse_policy(rules)]
        if not texts:
            raise ValueError("No rules given. Use unset to delete the rules.")
        if repository is None and path is None:
            raise ValueError("Give either a repository or a path.")
        self._put(texts, "; ".join(texts), repository, owner, path, by)

    def _read(self, value: t.Any) -> tuple[str, ...]:
        return tuple(value or ())


class Quotas(RuleBook[Quota]):
    """Limits for the size of a repository, of a path, or of all repositories of an
    owner: ``registry.quotas``.

    A repository in a path with a quota counts for the longest such path, and not for
    its owner.
    """

    kind = "quota"

    def set(
        self,
        *,
        repository: RepositoryRef | None = None,
        owner: t.Any = None,
        path: str | None = None,
        bytes: int | None = None,
        images: int | None = None,
        by: t.Any = None,
    ) -> None:
        """Set a quota, and replace an earlier one.

        :param repository: the repository that the quota is for.
        :param owner: one of the host's users, if the quota is for all that they own,
            except repositories in a path with a quota.
        :param path: the path, such as ``website/*``, if the quota is for a path.
        :param bytes: the maximum number of bytes; None means no limit.
        :param images: the maximum number of images that have a tag; None means no
            limit.
        :param by: the user who makes the change, for the audit log.
        :raises ValueError: if a number is negative.
        :raises NameUnknown: if there is no such repository.
        """
        if path is not None and owner is not None:
            raise ValueError("Give either a path or an owner.")
        for number in (bytes, images):
            if number is not None and number < 0:
                raise ValueError("A quota must not be negative.")
        value = {"bytes": bytes, "images": images}
        text = " ".join(f"{key}={number}" for key, number in value.items())
        self._put(value, text, repository, owner, path, by)

    def show(
        self,
        *,
        repository: RepositoryRef | None = None,
        owner: t.Any = None,
        path: str | None = None,
    ) -> QuotaUsage:
        """Return a quota and how much of it is used.

        :param repository: the repository that the quota is for.
        :param owner: one of the host's users, if the quota is for an owner.
        :param path: the path, such as ``website/*``, if the quota is for a path.
        :raises NameUnknown: if there is no such repository.
        """
        scope = self._scope(repository, owner, path)
        if path is not None:
            name = path
        elif repository is None:
            name = self._catalog.users.namespace_of(owner)
        else:
            name = name_of(repository)
        return self._catalog.quotas.standing(scope, name)

    def _read(self, value: t.Any) -> Quota:
        return Quota() if value is None else Quota.read(value)


class Visibilities(RuleBook["str | None"]):
    """Visibilities of new repositories: ``registry.default_visibility``.

    A repository that a push creates gets the visibility of the longest path that
    contains it, or else is private.
    """

    kind = "visibility"

    def set(
        self, visibility: str, *, path: str, owner: t.Any = None, by: t.Any = None
    ) -> None:
        """Set the visibility of new repositories, and replace an earlier one. Existing
        repositories keep theirs.

        :param visibility: ``private``, ``internal`` or ``public``.
        :param path: the path, such as ``website/*``.
        :param owner: one of the host's users, if it is for the repositories of this
            user only.
        :param by: the user who makes the change, for the audit log.
        :raises ValueError: if the visibility or the path is invalid.
        """
        if visibility not in VISIBILITIES:
            raise ValueError(
                f"Invalid visibility {visibility!r}: use one of"
                f" {', '.join(VISIBILITIES)}."
            )
        self._put(visibility, visibility, None, owner, path, by)

    def _read(self, value: t.Any) -> str | None:
        return t.cast("str | None", value)


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
