"""``flask oci publisher``: workflows that may log in as robots."""

from __future__ import annotations

import typing as t

import click
from flask.cli import with_appcontext

from ..auth.limits import USUAL_ACTIONS
from ..auth.oidc.token_text import MAX_LENGTH
from ..catalog.robots import ROBOT_ACTIONS
from ..services import services
from . import output
from .aliases import Group
from .common import error_messages
from .common import printable
from .common import read_text
from .common import robot_named

if t.TYPE_CHECKING:
    from ..auth.job_logins import Explanation
    from ..catalog import Robot
    from ..catalog.publishers import Publisher


@click.group(cls=Group)
def publisher() -> None:
    """Let jobs of a CI log in as robots without a secret.

    ROBOT is the login name of a robot, such as 'website+release'. ISSUER is an address
    in OCI_OIDC_ISSUERS.
    """


@publisher.command("add")
@with_appcontext
@click.argument("robot")
@click.argument("issuer")
@click.option(
    "--field",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="A required claim of the job, such as repository=acme/website. Can be"
    " repeated. 'flask oci publisher fields' lists the names.",
)
@click.option(
    "--create",
    is_flag=True,
    help="Create ROBOT first, without a secret, for the repositories of its path.",
)
@click.option(
    "--action",
    "actions",
    multiple=True,
    default=USUAL_ACTIONS,
    type=click.Choice(ROBOT_ACTIONS),
    help="With --create, an action of the new robot; by default pull and push. Can be"
    " repeated.",
)
def add_publisher(
    robot: str,
    issuer: str,
    pairs: tuple[str, ...],
    create: bool,
    actions: tuple[str, ...],
) -> None:
    """Let the jobs of a workflow log in as ROBOT."""
    fields = dict(_pair(text) for text in pairs)
    with error_messages():
        services().publishers.checked(issuer, fields)
        account = _new_robot(robot, actions) if create else robot_named(robot)
        added = services().publishers.add(account, issuer, fields)
    click.echo(added.id)
    click.echo(
        "The jobs can log in with"
        f"\n  docker login HOST -u {robot} --password-stdin"
        f"\nand an identity token for {services().config.identity_audience}",
        err=True,
    )


@publisher.command("list")
@with_appcontext
@click.argument("robot")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_publishers(robot: str, as_json: bool) -> None:
    """List the publishers of ROBOT."""
    with error_messages():
        found = services().publishers.list(robot_named(robot))
    if as_json:
        output.as_json([_as_fields(each) for each in found])
        return
    output.table(
        ("id", "kind", "fields", "created", "used", "job"),
        (
            (
                *(each.id, each.kind, _text(each), each.created_at),
                *(each.last_used_at, each.last_job or "-"),
            )
            for each in found
        ),
    )
    if not found:
        output.none_found(f"{robot} has no publishers.")


@publisher.command("show")
@with_appcontext
@click.argument("robot")
@click.argument("publisher_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def show_publisher(robot: str, publisher_id: str, as_json: bool) -> None:
    """Show a publisher of ROBOT."""
    with error_messages():
        publishers = services().publishers.list(robot_named(robot))
    found = {each.id: each for each in publishers}
    if publisher_id not in found:
        raise _unknown(robot, publisher_id)
    fields = _as_fields(found[publisher_id])
    if as_json:
        output.as_json(fields)
        return
    inner = fields.pop("fields")
    output.facts((*fields.items(), *inner.items()))


@publisher.command("remove")
@with_appcontext
@click.argument("robot")
@click.argument("publisher_id", metavar="ID")
def remove_publisher(robot: str, publisher_id: str) -> None:
    """Remove a publisher of ROBOT. The logins of its jobs end at once."""
    with error_messages():
        removed = services().publishers.remove(robot_named(robot), publisher_id)
    if not removed:
        raise _unknown(robot, publisher_id)
    click.echo(f"Removed the publisher {publisher_id} of {robot}.")


@publisher.command("fields")
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def list_fields(as_json: bool) -> None:
    """List the fields of publishers on each trusted issuer."""
    issuers = services().publishers.issuers
    rows = [
        (issuer.url, field.name, "yes" if field.is_required else "no", field.hint)
        for issuer in issuers.values()
        for field in issuer.kind.fields
    ]
    heads = ("issuer", "field", "required", "hint")
    if as_json:
        output.as_json([dict(zip(heads, row, strict=True)) for row in rows])
        return
    output.table(heads, rows)
    if not rows:
        output.none_found("The registry trusts no issuer; set OCI_OIDC_ISSUERS.")


@publisher.command("verify")
@with_appcontext
@click.argument("token_file")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def verify_token(token_file: str, as_json: bool) -> None:
    """Explain why an identity token is accepted or refused.

    TOKEN_FILE has the token, and '-' is the standard input. The token is not used by
    this command.
    """
    text = read_text(token_file, MAX_LENGTH + 2).strip()
    with error_messages():
        found = services().publishers.explain(text)
    if as_json:
        output.as_json(_explained(found))
    else:
        _print_explanation(found)
    if found.problem is not None:
        raise click.ClickException(printable(found.problem))
    if not as_json:
        click.echo(f"\nThe token is accepted for {found.verdicts[0].login}.")


def _explained(found: Explanation) -> dict[str, t.Any]:
    return {
        "accepted": found.problem is None,
        "problem": found.problem,
        "passed": list(found.steps),
        "publishers": [
            {
                "robot": each.login,
                "id": each.publisher.id,
                "checks": [check._asdict() for check in each.checks],
            }
            for each in found.verdicts
        ],
    }


def _print_explanation(found: Explanation) -> None:
    for step in found.steps:
        click.echo(f"passed: {step}")
    for each in found.verdicts:
        click.echo(f"\n{each.login}, publisher {each.publisher.id}:")
        for check in each.checks:
            mark = "passed" if check.is_met else "FAILED"
            click.echo(printable(f"  {mark}: {check}"))


def _new_robot(login: str, actions: tuple[str, ...]) -> Robot:
    path, _, name = login.partition("+")
    robots = services().robots
    return robots.create(name, path=path, actions=actions, with_secret=False).robot


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark:
        raise click.UsageError(f"Give --field as NAME=VALUE, not {text!r}.")
    return name, value


def _unknown(robot: str, publisher_id: str) -> click.ClickException:
    return click.ClickException(
        f"{robot} has no publisher {publisher_id}. 'flask oci publisher list {robot}'"
        " shows ids."
    )


def _text(each: Publisher) -> str:
    return " ".join(f"{name}={value}" for name, value in each.fields.items())


def _as_fields(each: Publisher) -> dict[str, t.Any]:
    return {
        "id": each.id,
        "issuer": each.issuer,
        "kind": each.kind,
        "fields": dict(each.fields),
        "created_by": each.created_by,
        "created_at": each.created_at,
        "last_used_at": each.last_used_at,
        "last_job": each.last_job,
    }
