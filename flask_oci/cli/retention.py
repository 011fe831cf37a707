"""``flask oci retention``: rules that delete tags and manifests."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

import click
from flask.cli import with_appcontext

from ..catalog.jobs import RETENTION
from ..operations.path_retention import preview_path
from ..operations.retention import RetentionRunner
from ..rules.retention_rules import parse
from ..rules.wording import plural
from ..services import services
from . import output
from .aliases import Group
from .common import error_messages
from .common import report_failures
from .digests import short
from .scopes import Scope
from .scopes import scope_fields
from .scopes import scope_name
from .scopes import scope_options
from .work import warn_of_overdue

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ..rules.retention import RetentionDecision


@click.group(cls=Group)
def retention() -> None:
    """Set rules that delete tags, preview and apply them.

    \b
    A rule is a sentence:
      keep 10 newest                  keep 3 newest of nightly-*
      keep 5 newest of v* by version  keep 5 newest by creation
      keep v*                         keep *
      delete *                        delete pr-* older than 30 days
      delete * not pulled for 90 days
      delete untagged after 14 days

    A rule that keeps an image takes precedence over all rules that delete it. Protected
    tags and images that the application exempts are kept too. An index and its children
    are one image; signatures are deleted with their image. The rules of a repository
    apply, or else those of the longest path that contains it, such as 'website/*', or
    else those of its owner, or else OCI_RETENTION.
    """


@retention.command("list")
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_rules(as_json: bool) -> None:
    """List the rules."""
    with error_messages():
        rules = services().retention.list()
    site = [rule.text for rule in services().config.retention]
    found: list[dict[str, t.Any]] = [
        {"repository": None, "owner": None, "path": None, "rules": site},
        *(
            {
                **scope_fields(row),
                "rules": [*row.value],
            }
            for row in rules
        ),
    ]
    if as_json:
        output.as_json(found)
        return
    rows = ((scope_name(f), text) for f in found for text in f["rules"] or ["-"])
    output.table(("scope", "rule"), rows)


@retention.command("set")
@with_appcontext
@scope_options
@click.argument("rules", nargs=-1, required=True, metavar="RULE...")
def set_rules(scope: Scope, rules: tuple[str, ...]) -> None:
    """Set the rules of a scope; they replace its existing rules."""
    with error_messages():
        services().retention.set(
            rules,
            **scope.arguments(),
        )
        click.echo(f"Set the retention rules of {scope.name}.")
        warn_of_overdue(RETENTION)


@retention.command("unset")
@with_appcontext
@scope_options
def unset_rules(scope: Scope) -> None:
    """Delete the rules of a scope."""
    with error_messages():
        removed = services().retention.unset(**scope.arguments())
    if not removed:
        raise click.ClickException(f"There are no rules for {scope.name}.")
    click.echo(f"Deleted the retention rules of {scope.name}.")


@retention.command()
@with_appcontext
@click.argument("repositories", nargs=-1)
@click.option("--path", metavar="PATH", help="List those of a path, as 'website/*'.")
@click.option(
    "--rule",
    "texts",
    multiple=True,
    help="A rule to try for the path instead of its rules. Can be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def preview(
    repositories: tuple[str, ...],
    path: str | None,
    texts: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show which tags the rules delete, and why.

    The command lists the tags of the REPOSITORIES, of a path, or of all repositories.
    """
    if (texts and path is None) or (path is not None and repositories):
        raise click.UsageError(
            "Give either repositories or --path; --rule needs --path."
        )
    if path is not None:
        with error_messages():
            rules = parse(texts) if texts else None
            catalog, runner = services().catalog, _runner(())
            shown = preview_path(runner, catalog, path, rules=rules, limit=None)
            _write(shown.verdicts, as_json)
        return
    with error_messages():
        runner = _runner(repositories)
        _write(runner.run(repositories or None, dry_run=True), as_json)
    report_failures(runner.failures)


@retention.command()
@with_appcontext
@click.argument("repositories", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Only print what would be deleted.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def run(repositories: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Apply the rules to the REPOSITORIES, or to all.

    The command evaluates the rules again in the transaction of each deletion, so it is
    safe to run during pushes. Users can restore deleted tags from the history page for
    OCI_UNDO_PERIOD. The disk space is freed when 'flask oci gc' runs.

    The exit status is 3 if single repositories failed. The command names them.
    """
    with error_messages():
        runner = _runner(repositories)
        verdicts = runner.run(repositories or None, dry_run=dry_run)
        found = [verdict for verdict in verdicts if verdict.deleted]
        _write(found, as_json)
    if not as_json:
        verb = "Would delete" if dry_run else "Deleted"
        tags = sum(row.tag is not None for row in found)
        manifests = plural(len(found) - tags, "manifest")
        click.echo(f"{verb} {plural(tags, 'tag')} and {manifests}.")
    report_failures(runner.failures)


def _runner(repositories: tuple[str, ...]) -> RetentionRunner:
    parts = services()
    for name in repositories:
        # An unknown repository is an error, not a repository without tags.
        parts.administration.find(name)
    return RetentionRunner(parts.config, parts.hooks, parts.catalog, parts.documents)


def _write(found: Iterable[RetentionDecision], as_json: bool) -> None:
    if as_json:
        output.as_json([asdict(row) for row in found])
        return
    output.table(
        ("image", "verdict", "rule", "reason"),
        (
            (
                f"{row.repository}:{row.tag}"
                if row.tag
                else f"{row.repository}@{short(row.digest)}",
                _verdict(row),
                row.rule_text or None,
                row.reason,
            )
            for row in found
        ),
    )


def _verdict(row: RetentionDecision) -> str:
    if row.due_at is not None:
        return f"keep until {row.due_at:%Y-%m-%d}"
    return "delete" if row.deleted else "keep"
