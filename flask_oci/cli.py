"""``flask oci``: what whoever runs a registry types."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta

import click

from .access_tokens import AccessTokens
from .errors import RegistryError
from .models import VISIBILITIES
from .scopes import ACTIONS
from .services import services

if t.TYPE_CHECKING:
    from flask import Blueprint

    from .catalog.credentials import Credential


def register_commands(blueprint: Blueprint) -> None:
    """Add the commands to a blueprint whose group is ``oci``."""
    for command in (token, visibility, rename, transfer):
        blueprint.cli.add_command(command)


@click.group()
def token() -> None:
    """Make, list and revoke access tokens.

    An access token is typed at 'docker login' in the place of a password. It
    can be limited, expires, and can be revoked at any time.
    """


@token.command("create")
@click.argument("username")
@click.option("--name", default="", help="What the token is for.")
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    default=["*"],
    help="A pattern of names it reaches, such as 'alice/*'. Can be repeated.",
)
@click.option(
    "--action",
    "actions",
    multiple=True,
    default=ACTIONS,
    type=click.Choice(ACTIONS),
    help="What it can be used for. Can be repeated; the default is everything.",
)
@click.option("--days", type=click.IntRange(min=1), help="After how many days it ends.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def create_token(
    username: str,
    name: str,
    repositories: tuple[str, ...],
    actions: tuple[t.Any, ...],
    days: int | None,
    as_json: bool,
) -> None:
    """Make an access token for USERNAME and print it, this once."""
    issued = _tokens().issue(
        _user(username),
        name=name,
        repositories=repositories,
        actions=actions,
        expires=None if days is None else timedelta(days=days),
    )
    if as_json:
        click.echo(json.dumps({"id": issued.id, "secret": issued.secret}))
        return
    click.echo(issued.secret)
    click.echo(
        f"This is the only time it is shown. Its id is {issued.id}. Log in with\n"
        f"  docker login HOST -u {username}\n"
        "and paste it in the place of the password.",
        err=True,
    )


@token.command("list")
@click.argument("username")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_tokens(username: str, as_json: bool) -> None:
    """List the tokens of USERNAME, the newest first."""
    found = [_fields(credential) for credential in _tokens().list(_user(username))]
    if as_json:
        click.echo(json.dumps(found))
        return
    for fields in found:
        click.echo("  ".join(f"{key}: {value}" for key, value in fields.items()))
    if not found:
        click.echo(f"{username} has no tokens.", err=True)


@token.command("revoke")
@click.argument("token_id", metavar="ID")
def revoke_token(token_id: str) -> None:
    """End the token ID, and everything that was had with it, at once."""
    if not _tokens().revoke(token_id):
        raise click.ClickException(
            f"There is no token {token_id}. 'flask oci token list' shows ids."
        )
    click.echo(f"Revoked {token_id}.")


@click.command()
@click.argument("repository")
@click.argument("value", metavar="VISIBILITY", type=click.Choice(VISIBILITIES))
def visibility(repository: str, value: str) -> None:
    """Set who may pull from REPOSITORY: its owner (private), every signed-in user
    (internal), or anybody (public)."""
    with _told():
        services().administration.set_visibility(repository, value)
    click.echo(f"{repository} is {value}.")


@click.command()
@click.argument("old")
@click.argument("new")
def rename(old: str, new: str) -> None:
    """Rename the repository OLD to NEW, or every one below OLD, such as a user's
    name. The old names can still be pulled from until somebody takes them."""
    with _told():
        names = services().administration.rename(old, new)
    for name in names:
        click.echo(name)
    if not names:
        raise click.ClickException(f"There is no repository {old}, nor any below it.")


@click.command()
@click.argument("repository")
@click.argument("username")
def transfer(repository: str, username: str) -> None:
    """Give REPOSITORY to the user USERNAME; its name stays."""
    with _told():
        services().administration.transfer(repository, _user(username))
    click.echo(f"{repository} belongs to {username}.")


class _told:
    """Turns what cannot be done into a message and an exit status."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, RegistryError):
            raise click.ClickException(error.message)
        if isinstance(error, ValueError):
            raise click.ClickException(str(error))


def _tokens() -> AccessTokens:
    return services().access_tokens


def _user(username: str) -> t.Any:
    user = services().catalog.users.by_name(username)
    if user is None:
        raise click.ClickException(f"There is no user {username}.")
    return user


def _fields(credential: Credential) -> dict[str, t.Any]:
    return {
        "id": credential.id,
        "kind": credential.kind,
        "name": credential.name,
        "repositories": list(credential.repositories),
        "actions": list(credential.actions),
        "created": str(credential.created_at),
        "expires": str(credential.expires_at) if credential.expires_at else None,
        "used": str(credential.last_used_at) if credential.last_used_at else None,
    }
