"""``flask oci webhooks``: the addresses that receive events."""

from __future__ import annotations

import dataclasses
import typing as t

import click
from flask.cli import with_appcontext

from ..catalog.jobs import WEBHOOKS
from ..events import FORMS
from ..rules.wording import plural
from ..services import services
from . import output
from .aliases import Group
from .common import error_messages
from .common import user_or_none
from .webhook_changes import COMMANDS
from .webhook_changes import require
from .work import warn_of_overdue

if t.TYPE_CHECKING:
    from ..catalog.webhook_info import WebhookInfo


@click.group(cls=Group)
def webhooks() -> None:
    """Manage webhooks, the addresses that receive events.

    'flask oci events deliver' delivers the events.
    """


@webhooks.command("add")
@with_appcontext
@click.argument("url")
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMS),
    default=FORMS[0],
    show_default=True,
    help="The format: CloudEvents, or the notifications of CNCF Distribution.",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    default=["*"],
    help="A pattern of event kinds, such as 'tag.*'. Can be repeated.",
)
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    default=["*"],
    help="A pattern of repositories, such as 'alice/*'. Can be repeated.",
)
@click.option(
    "--owner",
    metavar="USERNAME",
    help="Make it a webhook of a user, for one repository or one path, such as"
    " 'alice/*', that the user manages.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def add(
    url: str,
    format_: str,
    kinds: tuple[str, ...],
    repositories: tuple[str, ...],
    owner: str | None,
    as_json: bool,
) -> None:
    """Add a webhook, and print its secret once.

    The webhook receives future events at URL. The receiver verifies the signatures of
    the requests with the secret.
    """
    with error_messages():
        webhook = services().events.add_webhook(
            url,
            format=format_,
            kinds=kinds,
            repositories=repositories,
            owner=user_or_none(owner),
        )
        warn_of_overdue(WEBHOOKS)
    if as_json:
        output.as_json({"id": webhook.id, "secret": webhook.secret})
        return
    click.echo(webhook.secret)
    click.echo(
        "The secret is not shown again. The receiver verifies signatures with it.\n"
        f"The webhook's id is {webhook.id}.",
        err=True,
    )


@webhooks.command("list")
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_webhooks(as_json: bool) -> None:
    """List the webhooks, the oldest first."""
    with error_messages():
        found = services().events.webhooks()
        names = services().catalog.users.names(each.owner_id for each in found)
    if as_json:
        output.as_json(
            [{**_fields(each), "owner": names.get(each.owner_id)} for each in found]
        )
        return
    output.table(
        ("id", "owner", "format", "kinds", "repositories", "url", "status"),
        [
            (
                webhook.id,
                names.get(webhook.owner_id),
                webhook.form,
                webhook.kinds,
                webhook.repositories,
                webhook.url,
                _status(webhook),
            )
            for webhook in found
        ],
    )
    if not found:
        output.none_found("There are no webhooks.")


@webhooks.command("remove")
@with_appcontext
@click.argument("webhook_id", metavar="ID")
def remove(webhook_id: str) -> None:
    """Remove the webhook ID and its pending deliveries."""
    with error_messages():
        removed = services().events.remove_webhook(webhook_id)
    require(removed or None, webhook_id)
    click.echo(f"Removed {webhook_id}.")


for command in COMMANDS:
    webhooks.add_command(command)


def _status(webhook: WebhookInfo) -> str:
    if webhook.disabled_at is not None:
        return "disabled"
    if webhook.failures:
        return plural(webhook.failures, "failure")
    if webhook.failing_since is not None:
        return "fails"
    if webhook.has_delivered:
        return "ok"
    return "tested" if webhook.accepted_at is not None else "no delivery yet"


def _fields(webhook: WebhookInfo) -> dict[str, t.Any]:
    # The secret is shown only when the webhook is added.
    hidden = ("secret", "after_id", "owner_id")
    fields = dataclasses.asdict(webhook).items()
    return {name: value for name, value in fields if name not in hidden}
