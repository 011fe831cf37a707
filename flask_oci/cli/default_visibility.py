"""``flask oci default-visibility``: the visibility of new repositories in a path."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..rules.visibility import VISIBILITIES
from ..services import services
from . import output
from .aliases import Group
from .common import error_messages
from .scopes import scope_fields
from .scopes import scope_name


@click.group("default-visibility", cls=Group)
def default_visibility() -> None:
    """Set the visibility of new repositories in a path.

    A repository that a push creates gets the visibility of the longest path that
    contains it, or else is private. Existing repositories keep theirs: see 'flask oci
    visibility'.
    """


@default_visibility.command("list")
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_visibilities(as_json: bool) -> None:
    """List the paths with a default visibility."""
    with error_messages():
        rules = services().default_visibility.list()
    found = [{**scope_fields(row), "visibility": row.value} for row in rules]
    if as_json:
        output.as_json(found)
        return
    output.table(
        ("scope", "visibility"), ((scope_name(f), f["visibility"]) for f in found)
    )
    if not found:
        output.none_found("No path has a default visibility.")


@default_visibility.command("set")
@with_appcontext
@click.argument("path")
@click.argument("visibility", type=click.Choice(VISIBILITIES))
def set_visibility(path: str, visibility: str) -> None:
    """Set the default of a path, such as 'website/*'."""
    with error_messages():
        services().default_visibility.set(visibility, path=path)
    click.echo(f"New repositories in {path} will be {visibility}.")


@default_visibility.command("unset")
@with_appcontext
@click.argument("path")
def unset_visibility(path: str) -> None:
    """Delete the default of a path."""
    with error_messages():
        removed = services().default_visibility.unset(path=path)
    if not removed:
        raise click.ClickException(f"There is no default visibility for {path}.")
    click.echo(f"Deleted the default visibility of {path}.")
