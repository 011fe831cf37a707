"""``flask oci webhooks``: who is told of events."""

from __future__ import annotations

import dataclasses
import typing as t

import click
from flask.cli import with_appcontext

from ..events import FORMS
from ..services import services
from . import output
from .common import told

if t.TYPE_CHECKING:
    from ..catalog.webhooks import WebhookInfo


@click.group()
def webhooks() -> None:
    """Say which addresses are told of events.

    'flask oci events deliver' tells them.
    """


@webhooks.command("add")
@with_appcontext
@click.argument("url")
@click.option(
    "--form",
    type=click.Choice(FORMS),
    default=FORMS[0],
    show_default=True,
    help="What it is told: CloudEvents, or the notifications of CNCF Distribution.",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    default=["*"],
    help="A pattern of kinds of events, such as 'tag.*'. Can be repeated.",
)
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    default=["*"],
    help="A pattern of names, such as 'alice/*'. Can be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def add(
    url: str,
    form: str,
    kinds: tuple[str, ...],
    repositories: tuple[str, ...],
    as_json: bool,
) -> None:
    """Have URL told of what happens from now on, and print the secret by which it can
    know that it is told by us, this once."""
    with told():
        made = services().events.add_webhook(
            url, format=form, kinds=kinds, repositories=repositories
        )
    if as_json:
        output.as_json({"id": made.id, "secret": made.secret})
        return
    click.echo(made.secret)
    click.echo(
        "This is the only time it is shown. Give it to the receiver, which checks\n"
        f"signatures with it. The webhook's id is {made.id}.",
        err=True,
    )


@webhooks.command("list")
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_webhooks(as_json: bool) -> None:
    """List the webhooks, the oldest first."""
    with told():
        found = services().events.webhooks()
    if as_json:
        output.as_json([_fields(webhook) for webhook in found])
        return
    output.table(
        ("id", "form", "kinds", "repositories", "url", "answers"),
        [
            (
                webhook.id,
                webhook.form,
                " ".join(webhook.kinds),
                " ".join(webhook.repositories),
                webhook.url,
                f"no, {webhook.failures} times" if webhook.failures else "yes",
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
    """Forget the webhook ID, and what it has yet to be told."""
    with told():
        there = services().events.remove_webhook(webhook_id)
    if not there:
        raise click.ClickException(
            f"There is no webhook {webhook_id}. 'flask oci webhooks list' shows ids."
        )
    click.echo(f"Removed {webhook_id}.")


def _fields(webhook: WebhookInfo) -> dict[str, t.Any]:
    # The secret was shown once.
    hidden = ("secret", "after_id")
    fields = dataclasses.asdict(webhook).items()
    return {name: value for name, value in fields if name not in hidden}
