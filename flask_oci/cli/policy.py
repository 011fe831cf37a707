"""``flask oci policy``: the signatures and scans that images need to be pulled."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

import click
from flask.cli import with_appcontext

from ..rules.image_policy import parse
from ..services import services
from . import output
from .aliases import Group
from .common import error_messages
from .scopes import path_or_repository
from .scopes import Scope
from .scopes import scope_fields
from .scopes import scope_name

if t.TYPE_CHECKING:
    from ..core.image_policies import TagVerdict


@click.group(cls=Group)
def policy() -> None:
    """Require signatures and scans of images.

    \b
    A rule is a sentence:
      require signature by release
      require signature by release or backup for this repository
      require scan by scanner at most 30 days old
      refuse critical by scanner
      refuse high older than 7 days by scanner
      allow 1 hour after push
      exempt dev-*
      check pushed tags
      warn only

    An image that does not meet a rule cannot be pulled. Signers are those of 'flask oci
    trust', and scans count if one of the named users attached them. The rules of a
    repository, of the longest path that contains it, such as 'website/*', and of
    OCI_IMAGE_POLICY all apply.
    """


@policy.command("list")
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_rules(as_json: bool) -> None:
    """List the rules."""
    with error_messages():
        rules = services().image_policies.list()
    site = [rule.text for rule in services().config.image_policy]
    found: list[dict[str, t.Any]] = [
        {"repository": None, "owner": None, "path": None, "rules": site},
        *({**scope_fields(row), "rules": [*row.value]} for row in rules),
    ]
    if as_json:
        output.as_json(found)
        return
    rows = ((scope_name(f), text) for f in found for text in f["rules"] or ["-"])
    output.table(("scope", "rule"), rows)


@policy.command("set")
@with_appcontext
@path_or_repository
@click.argument("rules", nargs=-1, required=True, metavar="RULE...")
def set_rules(scope: Scope, rules: tuple[str, ...]) -> None:
    """Replace the rules of a repository or a path."""
    with error_messages():
        services().image_policies.set(rules, **scope.arguments())
    click.echo(f"Set the policy of {scope.name}.")


@policy.command("unset")
@with_appcontext
@path_or_repository
def unset_rules(scope: Scope) -> None:
    """Delete the rules of a repository or a path."""
    with error_messages():
        removed = services().image_policies.unset(**scope.arguments())
    if not removed:
        raise click.ClickException(f"{scope.name} has no policy.")
    click.echo(f"Deleted the policy of {scope.name}.")


@policy.command()
@with_appcontext
@click.argument("repository")
@click.option("--rule", "rules", multiple=True, help="Try a rule; can be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def preview(repository: str, rules: tuple[str, ...], as_json: bool) -> None:
    """Show which tags of a REPOSITORY can be pulled, and why.

    With --rule, the command tries other rules of the repository, and sets nothing.
    """
    with error_messages():
        found = services().administration.find(repository)
        tried = parse(rules) if rules else None
        verdicts: list[TagVerdict] = []
        after: str | None = None
        while page := services().catalog.tags.page(found.key, 100, after):
            verdicts += services().content.policies.preview(found, after, tried)
            after = page[-1]
    if as_json:
        output.as_json([asdict(each) for each in verdicts])
        return
    output.table(
        ("tag", "decision", "scope", "rule", "reason"),
        (
            (each.tag, v.result, v.scope, v.rule, v.reason)
            for each in verdicts
            for v in each.verdicts
        ),
    )
    if not any(each.verdicts for each in verdicts):
        output.none_found("No policy applies to a tag of this repository.")
