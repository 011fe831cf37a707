"""``flask oci token``: access tokens."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import click
from flask.cli import with_appcontext

from ..auth.access_tokens import AccessTokens
from ..auth.access_tokens import is_token
from ..services import services
from ..spec.scope import ACTIONS
from ..spec.scope import TOKEN_ACTIONS
from . import output
from .common import printable
from .common import told
from .common import user_named

if t.TYPE_CHECKING:
    from ..catalog.credentials import Credential


@click.group()
def token() -> None:
    """Make, list and revoke access tokens.

    An access token is typed at 'docker login' in the place of a password. It
    can be limited, expires, and can be revoked at any time.
    """


@token.command("create")
@with_appcontext
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
    type=click.Choice(TOKEN_ACTIONS),
    help="What it can be used for. Can be repeated; the default is all but 'manage'.",
)
@click.option(
    "--days",
    type=click.IntRange(min=1, max=36_500),
    help="After how many days it ends.",
)
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
    with told():
        issued = _tokens().issue(
            user_named(username),
            name=name,
            repositories=repositories,
            actions=actions,
            expires=None if days is None else timedelta(days=days),
        )
    if as_json:
        output.as_json({"id": issued.id, "secret": issued.secret})
        return
    click.echo(issued.secret)
    click.echo(
        f"This is the only time it is shown. Its id is {issued.id}. Log in with\n"
        f"  docker login HOST -u {username}\n"
        "and paste it in the place of the password.",
        err=True,
    )


@token.command("list")
@with_appcontext
@click.argument("username")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_tokens(username: str, as_json: bool) -> None:
    """List the tokens of USERNAME, the newest first."""
    with told():
        found = [_fields(each) for each in _tokens().list(user_named(username))]
    if as_json:
        output.as_json(found)
        return
    for fields in found:
        line = "  ".join(f"{key}: {value}" for key, value in fields.items())
        click.echo(printable(line))
    if not found:
        click.echo(f"{username} has no tokens.", err=True)


@token.command("revoke")
@with_appcontext
@click.argument("wanted", metavar="TOKEN")
def revoke_token(wanted: str) -> None:
    """End TOKEN, and everything that was had with it, at once. It is an id, or the
    secret itself, as somebody has found it where it should not be."""
    with told():
        token_id = _id_of(wanted)
        revoked = _tokens().revoke(token_id)
    if not revoked:
        raise click.ClickException(
            f"There is no token {token_id}. 'flask oci token list' shows ids."
        )
    click.echo(f"Revoked {token_id}.")


@token.command("revoke-all")
@with_appcontext
@click.argument("username")
def revoke_all_tokens(username: str) -> None:
    """End everything that USERNAME has logged in with, at once: access tokens, what
    clients keep, and what was had with a password."""
    with told():
        count = _tokens().revoke_all(user_named(username))
    click.echo(f"Revoked {count} tokens of {username}, and all that was had with them.")


def _tokens() -> AccessTokens:
    return services().access_tokens


def _id_of(wanted: str) -> str:
    if not is_token(wanted):
        return wanted
    found = _tokens().by_secret(wanted)
    if found is None:
        raise click.ClickException("There is no token of that secret; it has ended.")
    return found.id


def _fields(credential: Credential) -> dict[str, t.Any]:
    return {
        "id": credential.id,
        "kind": credential.kind,
        "name": credential.name,
        "repositories": list(credential.repositories),
        "actions": list(credential.actions),
        "created": credential.created_at,
        "expires": credential.expires_at,
        "used": credential.last_used_at,
    }
