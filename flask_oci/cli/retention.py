"""``flask oci retention``: rules by which tags and manifests go."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

import click
from flask.cli import with_appcontext

from ..operations.retention import RetentionRunner
from ..services import services
from . import output
from .common import for_whom
from .common import place_of
from .common import told
from .common import user_or_none

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ..operations.retention import Retained


@click.group()
def retention() -> None:
    """Say which tags and manifests may go, preview what would, and have it go.

    \b
    A rule is a sentence:
      keep 10 newest                  keep 3 newest of nightly-*
      keep v*                         keep *
      delete *                        delete pr-* older than 30 days
      delete * not pulled for 90 days
      delete untagged after 14 days

    What a rule keeps stays, whatever the others say, and so does what none deletes,
    what is protected, and what the application says is released. An index and its
    children are one image; signatures go with what they are about. The rules of a
    repository count, or else those of its owner, or else OCI_RETENTION.
    """


@retention.command("list")
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_rules(as_json: bool) -> None:
    """List the rules that are laid down."""
    with told():
        laid = services().retention.list()
    site = [rule.text for rule in services().config.retention]
    found: list[dict[str, t.Any]] = [
        {"repository": None, "owner": None, "rules": site},
        *(
            {"repository": row.repository, "owner": row.owner, "rules": [*row.value]}
            for row in laid
        ),
    ]
    if as_json:
        output.as_json(found)
        return
    rows = ((place_of(f), text) for f in found for text in f["rules"] or ["-"])
    output.table(("for", "rule"), rows)


@retention.command("set")
@with_appcontext
@for_whom
@click.argument("rules", nargs=-1, required=True, metavar="RULE...")
def set_rules(
    repository: str | None, owner: str | None, rules: tuple[str, ...]
) -> None:
    """Lay down each RULE, in the place of what was laid down."""
    with told():
        services().retention.set(
            rules,
            repository=repository,
            owner=user_or_none(owner),
        )
    click.echo(f"The rules of {repository or owner} are laid down.")


@retention.command("unset")
@with_appcontext
@for_whom
def unset_rules(repository: str | None, owner: str | None) -> None:
    """Take back what was laid down."""
    with told():
        gone = services().retention.unset(
            repository=repository, owner=user_or_none(owner)
        )
    if not gone:
        raise click.ClickException(f"Nothing was laid down for {repository or owner}.")
    click.echo(f"Nothing is laid down for {repository or owner} any more.")


@retention.command()
@with_appcontext
@click.argument("repositories", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def preview(repositories: tuple[str, ...], as_json: bool) -> None:
    """Say what would become of every tag of some REPOSITORIES, or of all, and why."""
    with told():
        _write(_run(repositories, dry_run=True), as_json)


@retention.command()
@with_appcontext
@click.argument("repositories", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def run(repositories: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Delete what may go from some REPOSITORIES, or from all.

    Each deletion is decided once more in the transaction that does it, so it is safe
    to run while people push. Deleted tags can be put back from the page of their
    history for OCI_UNDO_PERIOD seconds; room is free when 'flask oci gc' has run.
    """
    with told():
        found = [row for row in _run(repositories, dry_run=dry_run) if row.deleted]
        _write(found, as_json)
    if not as_json:
        verb = "would go" if dry_run else "went"
        tags = sum(row.tag is not None for row in found)
        click.echo(f"{tags} tags and {len(found) - tags} manifests {verb}.")


def _run(repositories: tuple[str, ...], *, dry_run: bool) -> Iterable[Retained]:
    parts = services()
    for name in repositories:
        # One that does not exist is a mistake, and not one without tags.
        parts.administration.find(name)
    retainer = RetentionRunner(parts.config, parts.hooks, parts.catalog)
    return retainer.run(repositories or None, dry_run=dry_run)


def _write(found: Iterable[Retained], as_json: bool) -> None:
    if as_json:
        output.as_json([asdict(row) for row in found])
        return
    output.table(
        ("image", "verdict", "rule", "reason"),
        (
            (
                f"{row.repository}:{row.tag}"
                if row.tag
                else f"{row.repository}@{row.digest[:19]}",
                "goes" if row.deleted else "stays",
                row.rule or "",
                row.reason,
            )
            for row in found
        ),
    )
