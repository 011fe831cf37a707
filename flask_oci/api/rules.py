"""The rules of a repository: retention and protected tags."""

from __future__ import annotations

import typing as t

import msgspec

from ..catalog import RepositoryInfo
from ..operations.retention import RetentionRunner
from ..rules.retention_rules import parse
from ..services import principal
from ..services import services
from . import paging
from .access import authorize
from .bodies import InheritedProtection
from .bodies import InheritedRetention
from .bodies import Paging
from .bodies import ProtectedTags
from .bodies import RetentionRules
from .bodies import Verdict
from .bodies import Verdicts
from .refusals import unsupported_if_invalid

if t.TYPE_CHECKING:
    from ..rules.retention_rules import Rule


def retention(name: str) -> RetentionRules:
    """Show the retention rules that are set for a repository. The caller must be
    allowed to manage it.

    :raises Denied: if the caller may not manage the repository.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    return _rules(authorize(name, "manage"))


def set_retention(name: str, body: RetentionRules) -> RetentionRules:
    """Replace the retention rules of a repository; an empty list unsets them.

    :raises Denied: if the caller may not manage the repository.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    :raises Unsupported: 422, if a rule is invalid, or the rules can never delete a tag.
    """
    repository, rule_set = authorize(name, "manage"), services().retention
    rules, by = [rule.text for rule in _parsed(body)], principal().user
    if rules:
        rule_set.set(rules, repository=repository, by=by)
    else:
        rule_set.unset(repository=repository, by=by)
    return _rules(repository)


def preview_retention(name: str, query: Paging) -> Verdicts:
    """Show which tags and manifests the current rules would delete now, and why.

    :raises Denied: if the caller may not manage the repository.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    return _verdicts(authorize(name, "manage"), query, None)


def try_retention(name: str, query: Paging, body: RetentionRules) -> Verdicts:
    """Show which tags and manifests other rules would delete now, and why. No rule is
    set and nothing is deleted.

    :raises Denied: if the caller may not manage the repository.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    :raises Unsupported: 422, if a rule is invalid, or the rules can never delete a tag.
    """
    return _verdicts(authorize(name, "manage"), query, _parsed(body))


def protected_tags(name: str) -> ProtectedTags:
    """Show the patterns of protected tags that are set for a repository. The caller
    must be allowed to manage it.

    :raises Denied: if the caller may not manage the repository.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    return _protected(authorize(name, "manage"))


def set_protected_tags(name: str, body: ProtectedTags) -> ProtectedTags:
    """Replace the patterns of protected tags of a repository.

    :raises Denied: if the caller may not manage the repository.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    :raises Unsupported: 422, if a pattern is invalid, or there are too many.
    """
    repository = authorize(name, "manage")
    with unsupported_if_invalid():
        services().tag_protection.set(
            repository=repository,
            protected=body.protected,
            immutable=body.immutable,
            by=principal().user,
        )
    return _protected(repository)


def _rules(repository: RepositoryInfo) -> RetentionRules:
    inherited = services().inherited_rules.retention(repository)
    return RetentionRules(
        rules=list(services().retention.get(repository=repository)),
        inherited=InheritedRetention(
            source=inherited.source,
            source_name=inherited.name,
            rules=list(inherited.value),
        ),
    )


def _protected(repository: RepositoryInfo) -> ProtectedTags:
    found = services().tag_protection.get(repository=repository)
    return ProtectedTags(
        protected=list(found.protected),
        immutable=list(found.immutable),
        inherited=[
            InheritedProtection(
                source=rule.source,
                source_name=rule.name,
                protected=list(rule.value.protected),
                immutable=list(rule.value.immutable),
            )
            for rule in services().inherited_rules.protection(repository)
        ],
    )


def _parsed(body: RetentionRules) -> t.Sequence[Rule]:
    with unsupported_if_invalid():
        return parse(body.rules)


def _verdicts(
    repository: RepositoryInfo, query: Paging, rules: t.Sequence[Rule] | None
) -> Verdicts:
    parts, size = services(), paging.size(query)
    offset = paging.number(query.next) or 0
    runner = RetentionRunner(parts.config, parts.hooks, parts.catalog, parts.documents)
    verdicts = runner.of(repository, dry_run=True, rules=rules)
    ordered = sorted(verdicts, key=lambda v: (not v.deleted, v.tag or "", v.digest))
    page, position = paging.paginate(
        ordered[offset : offset + size + 1], size, lambda _: offset + size
    )
    return Verdicts(
        deleted=sum(verdict.deleted for verdict in verdicts),
        kept=sum(not verdict.deleted for verdict in verdicts),
        items=[
            msgspec.convert(verdict, Verdict, from_attributes=True) for verdict in page
        ],
        next=position,
    )
