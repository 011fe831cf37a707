"""``flask oci token``: access tokens."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import click
from flask.cli import with_appcontext

from ..auth.access_tokens import AccessTokens
from ..auth.limits import USUAL_ACTIONS
from ..auth.limits import USUAL_DAYS
from ..auth.limits import usual_patterns
from ..auth.token_secrets import is_token
from ..rules.wording import plural
from ..services import services
from ..spec.scope import TOKEN_ACTIONS
from . import output
from .aliases import Group
from .common import error_messages
from .common import user_named

if t.TYPE_CHECKING:
    from ..catalog.credentials import Credential


@click.group(cls=Group)
def token() -> None:
    """Issue, list and revoke access tokens.

    'docker login' accepts an access token instead of a password. A token can be limited
    to repositories and actions, can expire, and can be revoked at any time.
    """


@token.command("create")
@with_appcontext
@click.argument("username")
@click.option("--name", default="", help="A description of the token.")
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    help="A pattern of repositories, such as 'alice/*' or '*'; by default those of the"
    " user. Can be repeated.",
)
@click.option(
    "--action",
    "actions",
    multiple=True,
    default=USUAL_ACTIONS,
    type=click.Choice(TOKEN_ACTIONS),
    help="An allowed action; by default pull and push. Can be repeated.",
)
@click.option(
    "--days",
    type=click.IntRange(min=1, max=36_500),
    default=USUAL_DAYS,
    show_default=True,
    help="The lifetime in days.",
)
@click.option("--no-expiry", is_flag=True, help="Issue a token that never expires.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def create_token(
    username: str,
    name: str,
    repositories: tuple[str, ...],
    actions: tuple[t.Any, ...],
    days: int,
    no_expiry: bool,
    as_json: bool,
) -> None:
    """Issue an access token for USERNAME and print it once.

    Without options, it can pull and push in the user's own repositories for 30 days.
    """
    with error_messages():
        user = user_named(username)
        if not services().accounts.is_active(user):
            raise click.ClickException(
                f"{username} is deactivated, so a token would be refused. Activate the"
                " account first."
            )
        issued = _tokens().issue(
            user,
            name=name,
            repositories=repositories or usual_patterns(_namespace(user)),
            actions=actions,
            expires=None if no_expiry else timedelta(days=days),
        )
        found = _tokens().by_id(issued.id)
    if as_json:
        output.as_json({"id": issued.id, "secret": issued.secret})
        return
    click.echo(issued.secret)
    click.echo(
        f"The token is not shown again. Its id is {issued.id}.{_limits(found)} Log in"
        f" with\n  docker login HOST -u {username} --password-stdin\n"
        "paste the token, and press Enter and Ctrl+D.",
        err=True,
    )


@token.command("list")
@with_appcontext
@click.argument("username")
@click.option(
    "--kind",
    type=click.Choice(["access", "refresh"]),
    help="List only access tokens, or only the tokens that clients store.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_tokens(username: str, kind: str | None, as_json: bool) -> None:
    """List the tokens of a user.

    The access tokens of USERNAME come first, and then the tokens that clients store,
    each with the newest first.
    """
    with error_messages():
        tokens = _tokens().list(user_named(username))
        found = [_fields(each) for each in tokens if kind in (None, each.kind)]
    if as_json:
        output.as_json(found)
        return
    heads = ("id", "kind", "name", "repositories", "actions", "created", "expires")
    output.table(
        (*heads, "used"),
        ([fields[head] for head in (*heads, "used")] for fields in found),
    )
    if not found:
        click.echo(f"{username} has no tokens.", err=True)


@token.command("revoke")
@with_appcontext
@click.argument("id_or_secret", metavar="TOKEN")
def revoke_token(id_or_secret: str) -> None:
    """Revoke a token at once.

    All tokens that were issued for it are revoked too. TOKEN is an id, or the secret of
    a leaked token.
    """
    with error_messages():
        token_id = _id_of(id_or_secret)
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
    """Revoke all tokens of a user at once.

    These are the access tokens of USERNAME, the tokens that clients store, and tokens
    that were issued for a password.
    """
    with error_messages():
        count = _tokens().revoke_all(user_named(username))
    click.echo(f"Revoked {plural(count, 'token')} of {username}.")


def _tokens() -> AccessTokens:
    return services().access_tokens


def _namespace(user: t.Any) -> str:
    return services().catalog.users.namespace_of(user)


def _limits(token: Credential | None) -> str:
    """Return a sentence about what a new token allows."""
    if token is None:
        return ""
    until = f" until {token.expires_at:%Y-%m-%d}" if token.expires_at else ""
    repositories = " ".join(token.repositories)
    return f" It allows {', '.join(token.actions)} in {repositories}{until}."


def _id_of(id_or_secret: str) -> str:
    if not is_token(id_or_secret):
        return id_or_secret
    found = _tokens().by_secret(id_or_secret)
    if found is None:
        raise click.ClickException(
            "There is no token with that secret. It may have been revoked."
        )
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
