"""``flask oci who-can``: who may do what, by the question that every request asks."""

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
from .common import told
from .common import user_named

if t.TYPE_CHECKING:
    from collections.abc import Iterable

#: What can be done to a repository, in a request or on a page.
EVERYTHING: t.Final[tuple[Action, ...]] = ("pull", "push", "delete", "manage")


@click.command("who-can")
@with_appcontext
@click.argument("repository")
@click.option(
    "--action",
    type=click.Choice(EVERYTHING),
    help="List only who may do this.",
)
@click.option(
    "--user",
    "username",
    metavar="USERNAME",
    help="Ask about one user. The exit status is 1 when they may do nothing, or not"
    " what --action says.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def who_can(
    repository: str, action: Action | None, username: str | None, as_json: bool
) -> None:
    """List who may pull from REPOSITORY, push to it, delete in it and manage it.

    Each user is asked about as a request of theirs would be, through your own
    function where you have one, and in the same way as is somebody who does not say
    who they are. REPOSITORY need not exist: who may push to it may make it. An access
    token can be limited further; 'flask oci token list' shows how.
    """
    with told():
        info = services().catalog.repositories.find(check_name(repository))
        found = [
            {"user": name, "actions": actions}
            for name, actions in _asked(info, username, as_json)
            if (action in actions if action else actions)
        ]
    if as_json:
        output.as_json(found)
    else:
        _write(found)
    if username is not None and not found:
        raise click.exceptions.Exit(1)


def _asked(
    info: RepositoryInfo, username: str | None, as_json: bool
) -> Iterable[tuple[str | None, list[Action]]]:
    users = services().catalog.users
    if username is not None:
        user = user_named(username)
        yield username, _actions(user, info)
        return
    yield None, _actions(None, info)
    with progress.bar(
        "Asking", users.count(), as_json=as_json, items=users.each()
    ) as bar:
        for user in bar:
            yield users.namespace_of(user), _actions(user, info)


def _actions(user: t.Any, info: RepositoryInfo) -> list[Action]:
    return [action for action in EVERYTHING if _may(user, action, info)]


def _may(user: t.Any, action: Action, info: RepositoryInfo) -> bool:
    try:
        return services().policy.is_allowed(user, action, info)
    except Denied:
        return False


def _write(found: list[dict[str, t.Any]]) -> None:
    output.table(
        ("user", *EVERYTHING),
        (
            (
                row["user"] or "(anybody)",
                *("yes" if action in row["actions"] else "-" for action in EVERYTHING),
            )
            for row in found
        ),
    )
    if not found:
        output.none_found("Nobody may.")
