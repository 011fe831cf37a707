"""``flask oci visibility``, ``rename`` and ``transfer``: change a repository."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..rules.visibility import VISIBILITIES
from ..services import services
from .common import error_messages
from .common import user_named


@click.command()
@with_appcontext
@click.argument("repository")
@click.argument("value", metavar="VISIBILITY", type=click.Choice(VISIBILITIES))
def visibility(repository: str, value: str) -> None:
    """Set who may pull from REPOSITORY: its owner (private), every signed-in user
    (internal), or every client (public)."""
    with error_messages():
        services().administration.set_visibility(repository, value)
    click.echo(f"{repository} is now {value}.")


@click.command()
@with_appcontext
@click.argument("old")
@click.argument("new")
def rename(old: str, new: str) -> None:
    """Rename the repository OLD to NEW, and every repository below OLD, such as a
    user's namespace. Clients can still pull from an old name until another repository
    takes it. A repository that leaves its owner's namespace for that of another user
    becomes private and belongs to that user."""
    with error_messages():
        names = services().administration.rename(old, new)
    for name in names:
        click.echo(name)
    if not names:
        raise click.ClickException(f"There is no repository named {old} or below it.")


@click.command()
@with_appcontext
@click.argument("repository")
@click.argument("username")
def transfer(repository: str, username: str) -> None:
    """Make USERNAME the owner of REPOSITORY; the name does not change."""
    with error_messages():
        services().administration.transfer(repository, user_named(username))
    click.echo(f"{repository} now belongs to {username}.")
