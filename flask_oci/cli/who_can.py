"""``flask oci who-can``: the users that may act on a repository."""

from __future__ import annotations

import typing as t

import click
from flask.cli import with_appcontext

from ..catalog import RepositoryInfo
from ..errors import Denied
from ..services import services
from ..spec.reference import check_name
from ..spec.scope import Action
from . import output
from . import progress
from .common import error_messages
from .common import user_named

if t.TYPE_CHECKING:
    from collections.abc import Iterable

#: The actions on a repository, in requests and on pages.
ALL_ACTIONS: t.Final[tuple[Action, ...]] = ("pull", "push", "delete", "manage")


@click.command("who-can")
@with_appcontext
@click.argument("repository")
@click.option(
    "--action",
    type=click.Choice(ALL_ACTIONS),
    help="List only users with this permission.",
)
@click.option(
    "--user",
    "username",
    metavar="USERNAME",
    help="Check one user. The exit status is 1 if the user may do nothing, or not the"
    " --action.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def who_can(
    repository: str, action: Action | None, username: str | None, as_json: bool
) -> None:
    """List the users with permissions on a repository.

    The command shows who may pull from REPOSITORY, push to it, delete in it or manage
    it. The command evaluates the same policy as requests do, with the application's
    @registry.authorize function if there is one, for every user and for anonymous
    clients, and for the robots that reach the repository. REPOSITORY need not exist:
    users who may push to it may create it. Access tokens can have further limits;
    'flask oci token list' shows them.
    """
    with error_messages():
        info = services().catalog.repositories.find(check_name(repository))
        found = [
            {kind: name, "actions": actions}
            for kind, name, actions in _permissions(info, username, as_json)
            if (action in actions if action else actions)
        ]
    if as_json:
        output.as_json(found)
    else:
        _write(found)
    if username is not None and not found:
        raise click.exceptions.Exit(1)


def _permissions(
    info: RepositoryInfo, username: str | None, as_json: bool
) -> Iterable[tuple[str, str | None, list[Action]]]:
    users = services().catalog.users
    if username is not None:
        user = user_named(username)
        yield "user", username, _actions(user, info)
        return
    yield "user", None, _actions(None, info)
    with progress.bar(
        "Checking", users.count(), as_json=as_json, items=users.each()
    ) as bar:
        for user in bar:
            yield "user", users.namespace_of(user), _actions(user, info)
    for robot in services().robots.reaching(info):
        yield "robot", robot.login, _actions(robot, info)


def _actions(user: t.Any, info: RepositoryInfo) -> list[Action]:
    return [action for action in ALL_ACTIONS if _may(user, action, info)]


def _may(user: t.Any, action: Action, info: RepositoryInfo) -> bool:
    try:
        return services().policy.is_allowed(user, action, info)
    except Denied:
        return False


def _name(row: dict[str, t.Any]) -> str:
    if "robot" in row:
        return f"{row['robot']} (robot)"
    return t.cast("str", row["user"] or "(anonymous)")


def _write(found: list[dict[str, t.Any]]) -> None:
    output.table(
        ("user", *ALL_ACTIONS),
        (
            (
                _name(row),
                *("yes" if action in row["actions"] else "-" for action in ALL_ACTIONS),
            )
            for row in found
        ),
    )
    if not found:
        output.none_found("No user has this permission.")
