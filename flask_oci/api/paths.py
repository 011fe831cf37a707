"""The rules of a path: all repositories below a name, whichever users own them.

The path ``website/*`` is ``website`` in an address. A path need not contain any
repository, so no answer reveals whether one exists.
"""

from __future__ import annotations

import typing as t

import msgspec

from ..errors import Denied
from ..http.authorization import may
from ..operations.path_retention import preview_path
from ..operations.retention import RetentionRunner
from ..rules.paths import path_text
from ..rules.retention_rules import parse
from ..services import services
from . import paging
from .access import is_admin
from .access import require_admin
from .access import signed_in_user
from .bodies import DefaultVisibility
from .bodies import Paging
from .bodies import PathUsage
from .bodies import PathVerdict
from .bodies import PathVerdicts
from .bodies import ProtectedTags
from .bodies import Quota
from .bodies import RetentionRules
from .refusals import unsupported_if_invalid

if t.TYPE_CHECKING:
    from ..rules.retention_rules import Rule
    from .bodies.base import Visibility


def path_retention(name: str) -> RetentionRules:
    """Show the retention rules of a path. The caller must manage the path.

    :raises Denied: if the caller does not manage the path, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if the name of the path is invalid.
    """
    return _retention(managed_path(name))


def set_path_retention(name: str, body: RetentionRules) -> RetentionRules:
    """Replace the retention rules of a path; an empty list unsets them.

    :raises Denied: if the caller does not manage the path, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if the name of the path is invalid.
    :raises Unsupported: 422, if a rule is invalid, or the rules can never delete a tag.
    """
    path, by = managed_path(name), signed_in_user("manage")
    with unsupported_if_invalid():
        rules = [rule.text for rule in parse(body.rules)]
    with unsupported_if_invalid():
        if rules:
            services().retention.set(rules, **scope_of(path), by=by)
        else:
            services().retention.unset(**scope_of(path), by=by)
    return _retention(path)


def preview_path_retention(name: str, query: Paging) -> PathVerdicts:
    """Show which tags and manifests the current rules would delete now in the
    repositories of a path, and why. The caller must manage the path.

    Repositories that the caller may not pull from are left out.

    :raises Denied: if the caller does not manage the path, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if the name of the path is invalid.
    """
    return _verdicts(managed_path(name), query, None)


def try_path_retention(name: str, query: Paging, body: RetentionRules) -> PathVerdicts:
    """Show which tags and manifests other rules of a path would delete now, and why. No
    rule is set and nothing is deleted.

    :raises Denied: if the caller does not manage the path, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if the name of the path is invalid.
    :raises Unsupported: 422, if a rule is invalid, or the rules can never delete a tag.
    """
    path = managed_path(name)
    with unsupported_if_invalid():
        rules = parse(body.rules)
    return _verdicts(path, query, rules)


def path_protected_tags(name: str) -> ProtectedTags:
    """Show the patterns of protected tags of a path. The caller must manage the path.

    :raises Denied: if the caller does not manage the path, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if the name of the path is invalid.
    """
    return _protected(managed_path(name))


def set_path_protected_tags(name: str, body: ProtectedTags) -> ProtectedTags:
    """Replace the patterns of protected tags of a path; two empty lists unset them.

    :raises Denied: if the caller does not manage the path, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if the name of the path is invalid.
    :raises Unsupported: 422, if a pattern is invalid, or there are too many.
    """
    path, by = managed_path(name), signed_in_user("manage")
    rule_set = services().tag_protection
    with unsupported_if_invalid():
        if body.protected or body.immutable:
            rule_set.set(
                **scope_of(path),
                protected=body.protected,
                immutable=body.immutable,
                by=by,
            )
        else:
            rule_set.unset(**scope_of(path), by=by)
    return _protected(path)


def path_visibility(name: str) -> DefaultVisibility:
    """Show the visibility of new repositories in a path. The caller must manage the
    path.

    :raises Denied: if the caller does not manage the path, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if the name of the path is invalid.
    """
    return _visibility(managed_path(name))


def set_path_visibility(name: str, body: DefaultVisibility) -> DefaultVisibility:
    """Replace the visibility of new repositories in a path; null unsets it.

    :raises Denied: if the caller does not manage the path, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if the name of the path is invalid.
    :raises Unsupported: 422, if the namespace has too many rules.
    """
    path, by = managed_path(name), signed_in_user("manage")
    with unsupported_if_invalid():
        if body.visibility is None:
            services().default_visibility.unset(**scope_of(path), by=by)
        else:
            services().default_visibility.set(body.visibility, **scope_of(path), by=by)
    return _visibility(path)


def path_quota(name: str) -> PathUsage:
    """Show the quota and the storage usage of a path, to users who manage it and to
    administrators.

    :raises Denied: if the caller does not manage the path, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if the name of the path is invalid.
    """
    return _usage(path_text(name) if is_admin() else managed_path(name))


def set_path_quota(name: str, body: Quota) -> PathUsage:
    """Replace the quota of a path, for administrators; two nulls unset it.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if the name of the path is invalid.
    :raises Unsupported: 422, if a number is negative.
    """
    require_admin()
    path, by = path_text(name), signed_in_user("manage")
    with unsupported_if_invalid():
        if body.bytes is None and body.images is None:
            services().quotas.unset(path=path, by=by)
        else:
            services().quotas.set(
                path=path, bytes=body.bytes, images=body.images, by=by
            )
    return _usage(path)


def managed_path(name: str) -> str:
    """Return a path as users write it, if the caller manages it.

    :param name: the path without ``/*``.
    :raises Unauthorized: if the caller is anonymous.
    :raises Denied: if the caller does not manage the path.
    """
    if not services().policy.manages_path(signed_in_user("manage"), name):
        raise Denied(f"Only users who manage {path_text(name)} may do this.")
    return path_text(name)


def scope_of(path: str) -> dict[str, t.Any]:
    """Return the arguments that name the scope of a rule that the caller sets."""
    owner = services().policy.path_owner(signed_in_user("manage"))
    return {"path": path, "owner": owner}


def _retention(path: str) -> RetentionRules:
    return RetentionRules(rules=list(services().retention.get(**scope_of(path))))


def _verdicts(path: str, query: Paging, rules: t.Sequence[Rule] | None) -> PathVerdicts:
    parts, user, size = services(), signed_in_user("manage"), paging.size(query)
    offset = paging.number(query.next) or 0
    runner = RetentionRunner(parts.config, parts.hooks, parts.catalog, parts.documents)
    shown = preview_path(
        runner,
        parts.catalog,
        path,
        rules=rules,
        owner_id=parts.catalog.users.key_of(parts.policy.path_owner(user)),
        may_see=lambda repository: may("pull", repository),
    )
    page, position = paging.paginate(
        shown.verdicts[offset : offset + size + 1], size, lambda _: offset + size
    )
    return PathVerdicts(
        deleted=sum(verdict.deleted for verdict in shown.verdicts),
        kept=sum(not verdict.deleted for verdict in shown.verdicts),
        complete=shown.is_complete,
        items=[
            msgspec.convert(verdict, PathVerdict, from_attributes=True)
            for verdict in page
        ],
        next=position,
    )


def _protected(path: str) -> ProtectedTags:
    found = services().tag_protection.get(**scope_of(path))
    return ProtectedTags(
        protected=list(found.protected), immutable=list(found.immutable)
    )


def _visibility(path: str) -> DefaultVisibility:
    found = services().default_visibility.get(**scope_of(path))
    return DefaultVisibility(visibility=t.cast("Visibility | None", found))


def _usage(path: str) -> PathUsage:
    usage = services().quotas.show(path=path)
    quota = Quota(bytes=usage.quota.bytes, images=usage.quota.images)
    return PathUsage(
        bytes=usage.bytes,
        images=usage.images,
        quota=quota if usage.quota.is_limit else None,
    )
