"""``flask oci visibility``, ``rename`` and ``transfer``: what changes a repository."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..rules.visibility import VISIBILITIES
from ..services import services
from .common import told
from .common import user_named


@click.command()
@with_appcontext
@click.argument("repository")
@click.argument("value", metavar="VISIBILITY", type=click.Choice(VISIBILITIES))
def visibility(repository: str, value: str) -> None:
    """Set who may pull from REPOSITORY: its owner (private), every signed-in user
    (internal), or anybody (public)."""
    with told():
        services().administration.set_visibility(repository, value)
    click.echo(f"{repository} is {value}.")


@click.command()
@with_appcontext
@click.argument("old")
@click.argument("new")
def rename(old: str, new: str) -> None:
    """Rename the repository OLD to NEW, or every one below OLD, such as a user's
    name. The old names can still be pulled from until somebody takes them."""
    with told():
        names = services().administration.rename(old, new)
    for name in names:
        click.echo(name)
    if not names:
        raise click.ClickException(f"There is no repository {old}, nor any below it.")


@click.command()
@with_appcontext
@click.argument("repository")
@click.argument("username")
def transfer(repository: str, username: str) -> None:
    """Give REPOSITORY to the user USERNAME; its name stays."""
    with told():
        services().administration.transfer(repository, user_named(username))
    click.echo(f"{repository} belongs to {username}.")
