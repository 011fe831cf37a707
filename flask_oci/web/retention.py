"""The rules by which a repository's tags go, and what they make of each."""

from __future__ import annotations

import typing as t

from flask import render_template
from flask import url_for
from flask.typing import ResponseReturnValue

from ..catalog import RepositoryInfo
from ..operations.retention import RetentionRunner
from ..rules.retention import parse
from ..services import services
from . import forms
from .access import admit
from .access import visitor
from .settings import page
from .translation import gettext
from .translation import ngettext

if t.TYPE_CHECKING:
    from ..rules.retention import Rule
    from ..rules.retention import Verdict

#: How many verdicts a page shows, those that delete first.
MOST: t.Final = 200


def retention(name: str) -> str:
    """Show what the rules would make of a repository now, and why."""
    repository = admit(name, "manage")
    found = _verdicts(repository)
    return render_template("oci/retention.html", repository=repository, **_shown(found))


def set_retention(name: str) -> ResponseReturnValue:
    """Change the rules of a repository, after saying what they would delete."""
    repository, text = admit(name, "manage"), forms.field("rules")
    book = services().retention
    try:
        rules = parse(text.splitlines())
    except ValueError as error:
        return page(repository, str(error), rules=text), 422
    if not rules:
        book.unset(repository=repository, by=visitor())
        message = gettext("It has no rules of its own any more.")
        return forms.done(message, "settings", name=name)
    if not forms.confirmed():
        shown = _shown(_verdicts(repository, rules))
        return forms.ask(
            gettext("Save these rules?"),
            [
                *(rule.text for rule in rules),
                ngettext(
                    "As things are, %(num)s tag or image goes the next time that they"
                    " are applied.",
                    "As things are, %(num)s tags and images go the next time that they"
                    " are applied.",
                    shown["gone"],
                ),
                gettext("The history of tags can put them back for some time."),
            ],
            gettext("Save them"),
            url_for(".settings", name=name),
            danger=bool(shown["gone"]),
            repository=repository,
            **shown,
        )
    book.set([rule.text for rule in rules], repository=repository, by=visitor())
    return forms.done(gettext("The rules are saved."), "retention", name=name)


def _verdicts(
    repository: RepositoryInfo, rules: t.Sequence[Rule] | None = None
) -> list[Verdict]:
    parts = services()
    retainer = RetentionRunner(parts.config, parts.hooks, parts.catalog)
    return retainer.of(repository, dry_run=True, rules=rules)


def _shown(verdicts: list[Verdict]) -> dict[str, t.Any]:
    order = sorted(verdicts, key=lambda verdict: not verdict.deleted)
    return {
        "verdicts": order[:MOST],
        "more": len(order[MOST:]),
        "gone": sum(verdict.deleted for verdict in verdicts),
    }
