"""``flask oci robot``: robots, the accounts of machines."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import click
from flask.cli import with_appcontext

from ..auth.limits import USUAL_ACTIONS
from ..auth.robot_secrets import MAX_OVERLAP
from ..catalog.robots import ROBOT_ACTIONS
from ..rules.paths import path_text
from ..services import services
from . import output
from .aliases import Group
from .common import error_messages
from .common import printable
from .common import robot_named

if t.TYPE_CHECKING:
    from ..auth.access_tokens import IssuedToken
    from ..catalog import Robot

#: The number of robots that are read at once.
BATCH_SIZE: t.Final = 500


@click.group(cls=Group)
def robot() -> None:
    """Create, list and end robots.

    A robot is an account of a namespace or of a repository for a machine. It stays when
    the user who created it leaves.
    """


@robot.command("create")
@with_appcontext
@click.argument("login", metavar="PATH+NAME")
@click.option(
    "--of-repository",
    is_flag=True,
    help="Limit the robot to the repository PATH, which it follows and ends with.",
)
@click.option("--description", default="", help="The purpose of the robot.")
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    help="A pattern of repositories in the path; by default all. Can be repeated.",
)
@click.option(
    "--action",
    "actions",
    multiple=True,
    default=USUAL_ACTIONS,
    type=click.Choice(ROBOT_ACTIONS),
    help="An allowed action; by default pull and push. Can be repeated.",
)
@click.option(
    "--days",
    type=click.IntRange(min=1, max=36_500),
    help="The lifetime in days; by default the robot does not expire.",
)
@click.option(
    "--protected-tags",
    is_flag=True,
    help="Let the robot move and delete protected tags.",
)
@click.option("--no-secret", is_flag=True, help="Issue no secret.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def create_robot(
    login: str,
    of_repository: bool,
    description: str,
    repositories: tuple[str, ...],
    actions: tuple[str, ...],
    days: int | None,
    protected_tags: bool,
    no_secret: bool,
    as_json: bool,
) -> None:
    """Create a robot and print its secret once.

    'website+release' is the robot 'release' of the path 'website/*'.
    """
    place, _, name = login.rpartition("+")
    with error_messages():
        created = services().robots.create(
            name,
            path=None if of_repository else place,
            repository=place if of_repository else None,
            description=description,
            repositories=repositories or None,
            actions=actions,
            expires=None if days is None else timedelta(days=days),
            changes_protected_tags=protected_tags,
            with_secret=not no_secret,
        )
    _print_secret(created.robot, created.secret, as_json)


@robot.command("list")
@with_appcontext
@click.option("--path", help="List only robots of a path, such as 'website'.")
@click.option("--repository", help="List only robots of one repository.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_robots(path: str | None, repository: str | None, as_json: bool) -> None:
    """List robots and their last use."""
    if path is not None and repository is not None:
        raise click.UsageError("Give either --path or --repository.")
    with error_messages():
        if path is not None or repository is not None:
            found = services().robots.list(path=path, repository=repository)
        else:
            found = list(_every_robot())
        rows = [_fields(each) for each in found]
    if as_json:
        output.as_json(rows)
        return
    heads = ("login", "repositories", "actions", "state", "expires", "used")
    output.table(heads, ([row[head] for head in heads] for row in rows))
    if not rows:
        output.none_found("There are no robots.")


@robot.command("show")
@with_appcontext
@click.argument("login")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def show_robot(login: str, as_json: bool) -> None:
    """Show a robot and its secrets, without the secrets themselves."""
    with error_messages():
        found = robot_named(login)
        secrets = [
            {
                "id": each.id,
                "created": each.created_at,
                "expires": each.expires_at,
                "used": each.last_used_at,
            }
            for each in services().robots.secrets_of(found)
        ]
        fields = _fields(found)
    if as_json:
        output.as_json({**fields, "secrets": secrets})
        return
    for name, value in fields.items():
        shown = " ".join(value) if isinstance(value, list) else value
        click.echo(f"{name}: {printable(str('-' if shown in (None, '') else shown))}")
    heads = ("id", "created", "expires", "used")
    output.table(heads, ([row[head] for head in heads] for row in secrets))


@robot.command("rotate")
@with_appcontext
@click.argument("login")
@click.option(
    "--overlap-hours",
    type=click.IntRange(min=0, max=MAX_OVERLAP.days * 24),
    default=0,
    show_default=True,
    help="How long the present secret stays valid.",
)
@click.option(
    "--days",
    type=click.IntRange(min=1, max=36_500),
    help="The lifetime of the new secret; by default it does not expire.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def rotate_robot(
    login: str, overlap_hours: int, days: int | None, as_json: bool
) -> None:
    """Issue a new secret and print it once. At most two secrets are valid at once."""
    with error_messages():
        found = robot_named(login)
        issued = services().robots.rotate(
            found,
            overlap=timedelta(hours=overlap_hours),
            expires=None if days is None else timedelta(days=days),
        )
    _print_secret(found, issued, as_json)


@robot.command("disable")
@with_appcontext
@click.argument("login")
def disable_robot(login: str) -> None:
    """Disable a robot at once, with all tokens that it has."""
    with error_messages():
        services().robots.disable(robot_named(login))
    click.echo(f"Disabled {login}.")


@robot.command("enable")
@with_appcontext
@click.argument("login")
def enable_robot(login: str) -> None:
    """Enable a robot, or give it to the new owner of its images.

    A namespace or a repository may have changed hands since the robot was created. The
    secrets of a robot that gets a new owner are deleted.
    """
    with error_messages():
        is_new = services().robots.enable(robot_named(login))
    click.echo(f"Enabled {login}.")
    if is_new:
        click.echo(
            "Its namespace or repository has another owner, so its secrets were"
            f" deleted. Issue one with 'flask oci robot rotate {login}'.",
            err=True,
        )


@robot.command("delete")
@with_appcontext
@click.argument("login")
def delete_robot(login: str) -> None:
    """Delete a robot and its secrets. Its images stay."""
    with error_messages():
        services().robots.delete(robot_named(login))
    click.echo(f"Deleted {login}.")


def _every_robot() -> t.Iterator[Robot]:
    after = ""
    while page := services().catalog.robots.page(BATCH_SIZE, after):
        yield from page
        after = page[-1].login


def _print_secret(robot: Robot, secret: IssuedToken | None, as_json: bool) -> None:
    if as_json:
        shown = None if secret is None else secret.secret
        output.as_json({"login": robot.login, "id": robot.id, "secret": shown})
        return
    if secret is None:
        click.echo(f"Created {robot.login} without a secret.")
        return
    click.echo(secret.secret)
    place = path_text(robot.path) if robot.path else "its repository"
    click.echo(
        f"The secret is not shown again. {robot.login} may"
        f" {', '.join(robot.actions)} in {place}. Log in with\n"
        f"  docker login HOST -u {robot.login} --password-stdin\n"
        "paste the secret, and press Enter and Ctrl+D.",
        err=True,
    )


def _reach(robot: Robot) -> list[str]:
    """Return the patterns of a robot of a path, or the repository of another one."""
    if robot.path is not None:
        return list(robot.repositories)
    return [robot.login.rpartition("+")[0]]


def _fields(robot: Robot) -> dict[str, t.Any]:
    return {
        "login": robot.login,
        "id": robot.id,
        "description": robot.description,
        "repositories": _reach(robot),
        "actions": list(robot.actions),
        "protected_tags": robot.changes_protected_tags,
        "state": services().robots.obstacle(robot) or "valid",
        "created": robot.created_at,
        "created_by": robot.created_by,
        "expires": robot.expires_at,
        "used": robot.last_used_at,
    }
