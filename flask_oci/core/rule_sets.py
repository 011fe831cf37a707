"""Rule sets for hosts, the command line and the pages: tag protection, retention,
image policies, quotas and default visibilities."""

from __future__ import annotations

import typing as t

from ..catalog.repository_info import name_of
from ..rules.image_policy import parse as parse_policy
from ..rules.protection import patterns
from ..rules.protection import Protection
from ..rules.quota import Quota
from ..rules.quota import QuotaUsage
from ..rules.retention_rules import parse
from ..rules.visibility import VISIBILITIES
from .rule_book import RuleBook

if t.TYPE_CHECKING:
    from ..catalog.repository_info import RepositoryRef


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


class SentenceRules(RuleBook[tuple[str, ...]]):
    """Rules that are written as sentences."""

    def _put_sentences(
        self,
        texts: list[str],
        repository: RepositoryRef | None,
        owner: t.Any,
        path: str | None,
        by: t.Any,
    ) -> None:
        if not texts:
            raise ValueError("No rules given. Use unset to delete the rules.")
        self._put(texts, "; ".join(texts), repository, owner, path, by)

    def _read(self, value: t.Any) -> tuple[str, ...]:
        return tuple(value or ())


class Retention(SentenceRules):
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
        self._put_sentences(texts, repository, owner, path, by)


class ImagePolicies(SentenceRules):
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
        if repository is None and path is None:
            raise ValueError("Give either a repository or a path.")
        self._put_sentences(texts, repository, owner, path, by)


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
