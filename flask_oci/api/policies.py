"""Image policies: the signatures and scans that images need to be pulled."""

from __future__ import annotations

import typing as t

import msgspec

from ..errors import Unsupported
from ..rules.image_policy import parse
from ..services import principal
from ..services import services
from .access import authorize
from .access import signed_in_user
from .bodies import Paging
from .bodies import PolicyDecision
from .bodies import PolicyDecisions
from .bodies import PolicyRules
from .paths import managed_path
from .paths import scope_of


def policy(name: str) -> PolicyRules:
    """Show the image policy that is set for a repository. The caller must be allowed to
    manage it.

    :raises Denied: if the caller may not manage the repository.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    return _rules(repository=authorize(name, "manage"))


def set_policy(name: str, body: PolicyRules) -> PolicyRules:
    """Replace the image policy of a repository; an empty list unsets it.

    :raises Denied: if the caller may not manage the repository.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    :raises Unsupported: 422, if a rule is invalid, or the rules require nothing.
    """
    return _set(body, principal().user, repository=authorize(name, "manage"))


def preview_policy(name: str, query: Paging) -> PolicyDecisions:
    """Show which tags of a repository can be pulled under the present policies, and
    why. A page has at most 100 tags.

    :raises Denied: if the caller may not manage the repository.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    repository, parts = authorize(name, "manage"), services()
    # No tag has a NUL, and PostgreSQL compares none.
    after = query.next and query.next.replace("\0", "")
    names = parts.catalog.tags.page(repository.key, 101, after)
    found = parts.content.policies.preview(repository, after)
    items = [
        msgspec.convert(each, PolicyDecision, from_attributes=True) for each in found
    ]
    return PolicyDecisions(items=items, next=names[99] if len(names) > 100 else None)


def path_policy(name: str) -> PolicyRules:
    """Show the image policy of a path. The caller must manage the path.

    :raises Denied: if the caller does not manage the path, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if the name of the path is invalid.
    """
    return _rules(**scope_of(managed_path(name)))


def set_path_policy(name: str, body: PolicyRules) -> PolicyRules:
    """Replace the image policy of a path; an empty list unsets it.

    :raises Denied: if the caller does not manage the path, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if the name of the path is invalid.
    :raises Unsupported: 422, if a rule is invalid, or the rules require nothing.
    """
    scope = scope_of(managed_path(name))
    return _set(body, signed_in_user("manage"), **scope)


def _set(
    body: PolicyRules,
    by: object,
    **scope: t.Any,
) -> PolicyRules:
    book = services().image_policies
    try:
        rules = [rule.text for rule in parse(body.rules)]
    except ValueError as error:
        raise Unsupported(str(error), status=422) from None
    try:
        if rules:
            book.set(rules, **scope, by=by)
        else:
            book.unset(**scope, by=by)
    except ValueError as error:
        raise Unsupported(str(error), status=422) from None
    return _rules(**scope)


def _rules(**scope: t.Any) -> PolicyRules:
    found = services().image_policies.get(**scope)
    return PolicyRules(rules=list(found))
