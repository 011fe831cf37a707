"""The retention rules of a repository, and their results."""

from __future__ import annotations

import typing as t

from flask import url_for
from flask.typing import ResponseReturnValue

from ..catalog import RepositoryInfo
from ..catalog.jobs import RETENTION
from ..operations.retention import RetentionRunner
from ..rules.retention_rules import parse
from ..services import services
from . import forms
from .access import authorize
from .access import visitor
from .rendering import Page
from .rendering import render
from .settings import page
from .translation import gettext
from .translation import ngettext

if t.TYPE_CHECKING:
    from ..rules.retention import RetentionDecision
    from ..rules.retention_rules import Rule

#: The maximum number of verdicts on a page; deletions come first.
MAX_VERDICTS: t.Final = 200


def retention(name: str) -> Page:
    """Show which tags and manifests the current rules would delete now, and why."""
    repository = authorize(name, "manage")
    context = _context(_verdicts(repository))
    return render(
        "oci/retention.html",
        repository=repository,
        is_retention_overdue=services().jobs.overdue(RETENTION) is not None,
        **context,
    )


def set_retention(name: str) -> ResponseReturnValue:
    """Set the rules of a repository, after a preview of what they would delete."""
    repository, text = authorize(name, "manage"), forms.field("rules")
    rule_set = services().retention
    try:
        rules = parse(text.splitlines())
    except ValueError as error:
        return page(repository, str(error), rules=text), 422
    if not rules:
        rule_set.unset(repository=repository, by=visitor())
        message = gettext("The repository has no rules of its own any more.")
        return forms.done(message, "settings", name=name)
    if not forms.confirmed():
        preview = _context(_verdicts(repository, rules))
        return forms.ask(
            gettext("Save these rules?"),
            [*(rule.text for rule in rules), *consequences(preview["deleted"])],
            gettext("Save the rules"),
            url_for(".settings", name=name),
            danger=bool(preview["deleted"]),
            repository=repository,
            **preview,
        )
    rule_set.set([rule.text for rule in rules], repository=repository, by=visitor())
    return forms.done(gettext("The rules were saved."), "retention", name=name)


def consequences(deleted: int) -> list[str]:
    """Return the sentences about what rules would do now, for the question before they
    are saved.

    :param deleted: the number of tags and images that they would delete.
    """
    if not deleted:
        return [gettext("If they were applied now, nothing would be deleted.")]
    return [
        ngettext(
            "If they were applied now, %(num)s tag or image would be deleted.",
            "If they were applied now, %(num)s tags and images would be deleted.",
            deleted,
        ),
        gettext("For some time, deleted tags can be restored from the history."),
    ]


def _verdicts(
    repository: RepositoryInfo, rules: t.Sequence[Rule] | None = None
) -> list[RetentionDecision]:
    parts = services()
    runner = RetentionRunner(parts.config, parts.hooks, parts.catalog, parts.documents)
    return runner.of(repository, dry_run=True, rules=rules)


def _context(verdicts: list[RetentionDecision]) -> dict[str, t.Any]:
    ordered = sorted(verdicts, key=lambda verdict: not verdict.deleted)
    return {
        "verdicts": ordered[:MAX_VERDICTS],
        "more": len(ordered[MAX_VERDICTS:]),
        "deleted": sum(verdict.deleted for verdict in verdicts),
    }
