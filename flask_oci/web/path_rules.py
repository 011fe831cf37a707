"""The rules of a path, and all rules for administrators."""

from __future__ import annotations

import typing as t

from flask import abort
from flask import redirect
from flask import url_for
from flask.typing import ResponseReturnValue

from ..catalog.jobs import RETENTION
from ..catalog.rules import TooManyRules
from ..errors import NameUnknown
from ..operations.path_retention import preview_path
from ..operations.retention import RetentionRunner
from ..rules.paths import path_text
from ..rules.quota import parse_size
from ..rules.quota import readable
from ..rules.retention_rules import parse
from ..rules.visibility import VISIBILITIES
from ..services import services
from ..spec.reference import is_name
from . import formatting
from . import forms
from . import paging
from .access import is_admin
from .access import manages_path
from .access import may
from .access import require_admin
from .access import sees_path
from .access import signed_in_user
from .access import visitor
from .rendering import Page
from .rendering import render
from .retention import consequences
from .retention import MAX_VERDICTS
from .translation import gettext

if t.TYPE_CHECKING:
    from ..core.rule_book import RuleEntry
    from ..rules.retention_rules import Rule

#: The maximum number of rules of each kind on the page of all rules.
MAX_ROWS: t.Final = 200


def rules() -> ResponseReturnValue:
    """Show the visitor's path and a form for other paths; to administrators, also all
    rules that are set."""
    user = signed_in_user()
    name = paging.parameter("path").removesuffix("/*")
    if name:
        if is_name(name) and sees_path(name):
            return redirect(url_for(".path_rules", name=name))
        message = gettext("You do not manage the path “%(name)s”.", name=name)
        return _all_rules(user, message), 404
    return _all_rules(user)


def set_quota() -> ResponseReturnValue:
    """Set or unset the quota of an owner, a repository or a path, for
    administrators."""
    require_admin()
    kind, name = forms.field("scope"), forms.field("name")
    scope = _scope(kind, name)
    if scope is None:
        message = gettext("There is no “%(name)s” of this kind.", name=name)
        return _all_rules(visitor(), message), 422
    quotas = services().quotas
    try:
        size, images = _sent_quota()
        if size is None and images is None:
            quotas.unset(**scope, by=visitor())
        else:
            quotas.set(**scope, bytes=size, images=images, by=visitor())
    except NameUnknown:
        message = gettext("There is no “%(name)s” of this kind.", name=name)
        return _all_rules(visitor(), message), 422
    except ValueError as error:
        return _all_rules(visitor(), str(error)), 422
    text = gettext("The quota of %(name)s was saved.", name=name)
    if kind == "path" and forms.field("back") == "path":
        return forms.done(text, "path_rules", name=name.removesuffix("/*"))
    return forms.done(text, "rules")


def path_rules(name: str) -> Page:
    """Show the rules of a path, to users who manage it and to administrators."""
    return _page(_visible(name))


def set_path_visibility(name: str) -> ResponseReturnValue:
    """Set the visibility of new repositories in a path."""
    path, value = managed(name), forms.field("visibility")
    if value and value not in VISIBILITIES:
        abort(400)
    rule_set = services().default_visibility
    try:
        if value:
            rule_set.set(value, **set_by_visitor(path), by=visitor())
        else:
            rule_set.unset(**set_by_visitor(path), by=visitor())
    except TooManyRules as error:
        return _page(path, str(error)), 422
    return _done(gettext("The visibility of new repositories was saved."), path)


def protect_path(name: str) -> ResponseReturnValue:
    """Set the patterns of protected and of immutable tags of a path."""
    path, rule_set = managed(name), services().tag_protection
    protected = forms.field("protected").split()
    immutable = forms.field("immutable").split()
    try:
        if protected or immutable:
            rule_set.set(
                **set_by_visitor(path),
                protected=protected,
                immutable=immutable,
                by=visitor(),
            )
        else:
            rule_set.unset(**set_by_visitor(path), by=visitor())
    except TooManyRules as error:
        return _page(path, str(error)), 422
    except ValueError:
        message = gettext("Invalid tag pattern: use tag characters, “*” and “?”.")
        return _page(path, message), 422
    return _done(gettext("The patterns were saved."), path)


def set_path_retention(name: str) -> ResponseReturnValue:
    """Set the retention rules of a path, after a confirmation."""
    path, lines = managed(name), forms.field("rules").splitlines()
    rule_set = services().retention
    try:
        texts = [rule.text for rule in parse(lines)]
    except ValueError as error:
        return _page(path, str(error), rules=lines), 422
    if not texts:
        rule_set.unset(**set_by_visitor(path), by=visitor())
        return _done(gettext("The path has no rules of its own any more."), path)
    if not forms.confirmed():
        preview = _preview(path, parse(lines))
        return forms.ask(
            gettext("Save these rules for %(path)s?", path=path_text(path)),
            [
                *texts,
                gettext(
                    "They apply to every repository of the path that has no rules of"
                    " its own and no longer path with rules."
                ),
                *consequences(preview["deleted"]),
            ],
            gettext("Save the rules"),
            url_for(".path_rules", name=path),
            danger=bool(preview["deleted"]),
            **preview,
        )
    try:
        rule_set.set(texts, **set_by_visitor(path), by=visitor())
    except TooManyRules as error:
        return _page(path, str(error), rules=lines), 422
    return _done(gettext("The rules were saved."), path)


def path_retention(name: str) -> Page:
    """Show what the current rules would delete now in the repositories of a path."""
    path = _visible(name)
    return render(
        "oci/path_retention.html",
        name=path,
        path=path_text(path),
        may_limit=is_admin(),
        is_retention_overdue=services().jobs.overdue(RETENTION) is not None,
        **_preview(path),
    )


def _preview(name: str, rules: t.Sequence[Rule] | None = None) -> dict[str, t.Any]:
    """Return the variables of a list of verdicts.

    :param name: the name of the path.
    :param rules: rules to try; None previews the rules that are set.
    """
    parts = services()
    runner = RetentionRunner(parts.config, parts.hooks, parts.catalog, parts.documents)
    shown = preview_path(
        runner,
        parts.catalog,
        path_text(name),
        rules=rules,
        owner_id=parts.catalog.users.key_of(parts.policy.path_owner(visitor())),
        may_see=lambda repository: may("pull", repository),
    )
    return {
        "verdicts": shown.verdicts[:MAX_VERDICTS],
        "more": len(shown.verdicts[MAX_VERDICTS:]),
        "deleted": sum(verdict.deleted for verdict in shown.verdicts),
        "is_incomplete": not shown.is_complete,
    }


def _page(name: str, error: str = "", rules: list[str] | None = None) -> Page:
    """Render the rules of a path.

    :param error: the reason why the last form was refused.
    :param rules: the refused retention rules, instead of the stored ones.
    """
    parts, path = services(), path_text(name)
    may_manage = manages_path(name)
    scope = set_by_visitor(name) if may_manage else {"path": path}
    usage = parts.quotas.show(path=path)
    stored = parts.retention.get(**scope)
    return render(
        "oci/path_rules.html",
        name=name,
        path=path,
        usage=usage,
        quota_size=_exact(usage.quota.bytes),
        quota_images=usage.quota.images,
        visibility=parts.default_visibility.get(**scope) or "",
        visibilities=("", *VISIBILITIES),
        host_decides=parts.hooks.visibility_of is not None,
        protection=parts.tag_protection.get(**scope),
        rules=stored if rules is None else rules,
        may_manage=may_manage,
        may_limit=is_admin(),
        manages_robots=is_admin() or parts.policy.manages_robots(visitor(), name),
        error=error,
    )


def _all_rules(user: t.Any, error: str = "") -> Page:
    users = services().catalog.users
    own = users.namespace_of(user)
    found = _every_rule() if is_admin() else []
    return render(
        "oci/rules.html",
        own=own if is_name(own) and manages_path(own) else "",
        rows=found[:MAX_ROWS],
        more=len(found[MAX_ROWS:]),
        error=error,
    )


def _every_rule() -> list[tuple[RuleEntry[t.Any], str, str]]:
    """Return all rules that are set, each with its kind and its text."""
    parts = services()
    found: list[tuple[RuleEntry[t.Any], str, str]] = [
        (entry, "quota", _quota_text(entry.value)) for entry in parts.quotas.list()
    ]
    found += [
        (entry, "retention", "; ".join(entry.value)) for entry in parts.retention.list()
    ]
    found += [
        (
            entry,
            "protection",
            " ".join(
                [*entry.value.protected, *(f"={p}" for p in entry.value.immutable)]
            ),
        )
        for entry in parts.tag_protection.list()
    ]
    found += [
        (entry, "policy", "; ".join(entry.value))
        for entry in parts.image_policies.list()
    ]
    found += [
        (entry, "visibility", entry.value or "")
        for entry in parts.default_visibility.list()
    ]
    return sorted(found, key=lambda row: _scope_name(row[0]))


def _scope_name(entry: RuleEntry[t.Any]) -> str:
    return entry.path or entry.repository or entry.owner or ""


def _quota_text(quota: t.Any) -> str:
    size = "" if quota.bytes is None else formatting.size(quota.bytes)
    images = "" if quota.images is None else gettext("%(num)s images", num=quota.images)
    return ", ".join(filter(None, (size, str(images))))


def _exact(count: int | None) -> str:
    """Return the text of a size for a form, which must not round it."""
    if count is None:
        return ""
    text = readable(count)
    return text if parse_size(text) == count else str(count)


def _scope(kind: str, name: str) -> dict[str, t.Any] | None:
    """Return the arguments that name the scope of a rule, or None if the form names
    none."""
    if kind == "owner":
        user = services().catalog.users.by_name(name)
        return None if user is None else {"owner": user}
    bare = name.removesuffix("/*")
    if not is_name(bare) or kind not in ("path", "repository"):
        return None
    return {"path": path_text(bare)} if kind == "path" else {"repository": bare}


def _sent_quota() -> tuple[int | None, int | None]:
    """Return the size in bytes and the number of images of the form; None if a field
    is empty.

    :raises ValueError: if a field is invalid.
    """
    size, images = forms.field("bytes"), forms.field("images")
    if images and not (images.isascii() and images.isdecimal() and len(images) < 10):
        raise ValueError(gettext("Enter a number of images."))
    return (parse_size(size) if size else None, int(images) if images else None)


def set_by_visitor(name: str) -> dict[str, t.Any]:
    """Return the arguments that name the scope of a rule that the visitor sets."""
    return {"path": path_text(name), "owner": services().policy.path_owner(visitor())}


def _visible(name: str) -> str:
    """Return the name of a path that the visitor may see; else the response is 404."""
    signed_in_user()
    if not is_name(name) or not sees_path(name):
        abort(404)
    return name


def managed(name: str) -> str:
    """Return the name of a path that the visitor manages.

    The response is 404 if the visitor may not see the path, and 403 if they may see it
    but not manage it.
    """
    _visible(name)
    if not manages_path(name):
        abort(403)
    return name


def _done(text: t.Any, name: str) -> ResponseReturnValue:
    return forms.done(text, "path_rules", name=name)
