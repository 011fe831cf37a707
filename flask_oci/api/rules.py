"""What is laid down for a repository: which tags go, and which stay as they are."""

from __future__ import annotations

import typing as t

from ..catalog import RepositoryInfo
from ..errors import Unsupported
from ..operations.retention import RetentionRunner
from ..rules.retention import parse
from ..services import principal
from ..services import services
from . import paging
from .access import admit
from .bodies import Paging
from .bodies import ProtectedTags
from .bodies import RetentionRules
from .bodies import Verdict
from .bodies import Verdicts

if t.TYPE_CHECKING:
    from ..rules.retention import Rule


def retention(name: str) -> RetentionRules:
    """Show the rules of retention of a repository's own, to who may manage it.

    :raises Denied: when the caller may not.
    :raises NameUnknown: when there is none that the caller may see.
    """
    return _rules(admit(name, "manage"))


def set_retention(name: str, body: RetentionRules) -> RetentionRules:
    """Lay down the rules of retention of a repository, in the place of its own; none
    takes them back.

    :raises Denied: when the caller may not manage it.
    :raises NameUnknown: when there is none that the caller may see.
    :raises Unsupported: 422, when one is no rule, or they could delete nothing.
    """
    repository, book = admit(name, "manage"), services().retention
    rules, by = [rule.text for rule in _parsed(body)], principal().user
    if rules:
        book.set(rules, repository=repository, by=by)
    else:
        book.unset(repository=repository, by=by)
    return _rules(repository)


def preview_retention(name: str, query: Paging) -> Verdicts:
    """Show what the rules that hold would make of a repository now, and why.

    :raises Denied: when the caller may not manage it.
    :raises NameUnknown: when there is none that the caller may see.
    """
    return _verdicts(admit(name, "manage"), query, None)


def try_retention(name: str, query: Paging, body: RetentionRules) -> Verdicts:
    """Show what other rules would make of a repository now, and why; nothing is laid
    down, and nothing goes.

    :raises Denied: when the caller may not manage it.
    :raises NameUnknown: when there is none that the caller may see.
    :raises Unsupported: 422, when one is no rule, or they could delete nothing.
    """
    return _verdicts(admit(name, "manage"), query, _parsed(body))


def protected_tags(name: str) -> ProtectedTags:
    """Show which tags of a repository are protected, by patterns of its own, to who may
    manage it.

    :raises Denied: when the caller may not.
    :raises NameUnknown: when there is none that the caller may see.
    """
    return _protected(admit(name, "manage"))


def set_protected_tags(name: str, body: ProtectedTags) -> ProtectedTags:
    """Lay down which tags of a repository are protected, in the place of its own
    patterns.

    :raises Denied: when the caller may not manage it.
    :raises NameUnknown: when there is none that the caller may see.
    :raises Unsupported: 422, when a pattern is none, or there are too many.
    """
    repository = admit(name, "manage")
    try:
        services().tag_protection.set(
            repository=repository,
            protected=body.protected,
            immutable=body.immutable,
            by=principal().user,
        )
    except ValueError as error:
        raise Unsupported(str(error), status=422) from None
    return _protected(repository)


def _rules(repository: RepositoryInfo) -> RetentionRules:
    return RetentionRules(rules=list(services().retention.get(repository=repository)))


def _protected(repository: RepositoryInfo) -> ProtectedTags:
    found = services().tag_protection.get(repository=repository)
    return ProtectedTags(
        protected=list(found.protected), immutable=list(found.immutable)
    )


def _parsed(body: RetentionRules) -> t.Sequence[Rule]:
    try:
        return parse(body.rules)
    except ValueError as error:
        raise Unsupported(str(error), status=422) from None


def _verdicts(
    repository: RepositoryInfo, query: Paging, rules: t.Sequence[Rule] | None
) -> Verdicts:
    parts, most = services(), paging.limit(query.limit)
    passed = paging.number(query.next) or 0
    retainer = RetentionRunner(parts.config, parts.hooks, parts.catalog)
    found = retainer.of(repository, dry_run=True, rules=rules)
    order = sorted(found, key=lambda v: (not v.deleted, v.tag or "", v.digest))
    here = order[passed : passed + most + 1]
    shown, place = paging.cut(here, most, lambda _: passed + most)
    return Verdicts(
        deleted=sum(verdict.deleted for verdict in found),
        kept=sum(not verdict.deleted for verdict in found),
        items=[
            Verdict(
                tag=verdict.tag,
                digest=verdict.digest,
                deleted=verdict.deleted,
                rule=verdict.rule,
                reason=verdict.reason,
            )
            for verdict in shown
        ],
        next=place,
    )
