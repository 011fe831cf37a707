"""``flask oci visibility``, ``rename`` and ``transfer``: change a repository."""

from __future__ import annotations

from collections.abc import Iterator

import click
from flask.cli import with_appcontext

from ..rules.visibility import PUBLIC
from ..rules.visibility import VISIBILITIES
from ..services import services
from .common import error_messages
from .common import user_named


@click.command()
@with_appcontext
@click.argument("repository")
@click.argument("value", metavar="VISIBILITY", type=click.Choice(VISIBILITIES))
def visibility(repository: str, value: str) -> None:
    """Set who may pull from a repository.

    \b
    private    its owner
    internal   every signed-in user
    public     every client

    The command is refused if the application sets the visibility itself.
    """
    with error_messages():
        services().administration.set_visibility(repository, value)
    click.echo(f"{repository} is now {value}.")
    for remark in _limits(value):
        click.echo(remark, err=True)


def _limits(visibility: str) -> Iterator[str]:
    """Yield the reasons why a visibility may not have its usual effect."""
    if visibility == PUBLIC and services().config.require_login:
        yield "OCI_REQUIRE_LOGIN is set, so anonymous clients still cannot pull."
    if services().hooks.authorize is not None:
        yield (
            "The application's function for registry.authorize decides who may pull;"
            " 'flask oci who-can' asks it."
        )


@click.command()
@with_appcontext
@click.argument("old")
@click.argument("new")
def rename(old: str, new: str) -> None:
    """Rename a repository, and those below its name.

    The command replaces OLD by NEW, also in the names of all repositories below OLD,
    such as a user's namespace. Clients can still pull from an old name until another
    repository takes it. A repository that leaves its owner's namespace for that of
    another user becomes private and belongs to that user.
    """
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
    """Change the owner of a repository, but not its name."""
    with error_messages():
        services().administration.transfer(repository, user_named(username))
    click.echo(f"{repository} now belongs to {username}.")
