"""The commands of ``flask oci webhooks`` that change or test a webhook."""

from __future__ import annotations

import typing as t

import click
from flask.cli import with_appcontext

from ..events import FORMS
from ..services import services
from . import output
from .common import error_messages

ID: t.Final = click.argument("webhook_id", metavar="ID")


@click.command()
@with_appcontext
@ID
@click.option("--url", help="The new address.")
@click.option("--format", "format_", type=click.Choice(FORMS), help="The new format.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    help="A pattern of event kinds; replaces all of them. Can be repeated.",
)
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    help="A pattern of repositories; replaces all of them. Can be repeated.",
)
def edit(
    webhook_id: str,
    url: str | None,
    format_: str | None,
    kinds: tuple[str, ...],
    repositories: tuple[str, ...],
) -> None:
    """Change the webhook ID. Its secret stays the same."""
    if not (url or format_ or kinds or repositories):
        raise click.UsageError("Give --url, --format, --kind or --repository.")
    with error_messages():
        changed = services().events.change_webhook(
            webhook_id,
            url=url,
            format=format_,
            kinds=kinds or None,
            repositories=repositories or None,
        )
    require(changed, webhook_id)
    click.echo(f"Changed {webhook_id}.")


@click.command()
@with_appcontext
@ID
def disable(webhook_id: str) -> None:
    """Disable the webhook ID.

    It never receives the events that happen until it is enabled. Its pending deliveries
    wait.
    """
    with error_messages():
        changed = services().events.change_webhook(webhook_id, enabled=False)
    require(changed, webhook_id)
    click.echo(f"Disabled {webhook_id}.")


@click.command()
@with_appcontext
@ID
def enable(webhook_id: str) -> None:
    """Enable the webhook ID. It receives future events."""
    with error_messages():
        changed = services().events.change_webhook(webhook_id, enabled=True)
    require(changed, webhook_id)
    click.echo(f"Enabled {webhook_id}.")


@click.command("rotate-secret")
@with_appcontext
@ID
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def rotate_secret(webhook_id: str, as_json: bool) -> None:
    """Replace the secret of a webhook, and print it once."""
    with error_messages():
        changed = services().events.rotate_webhook_secret(webhook_id)
    secret = require(changed, webhook_id).secret
    if as_json:
        output.as_json({"id": webhook_id, "secret": secret})
        return
    click.echo(secret)
    click.echo(
        "The secret is not shown again. The former one is invalid from now on.",
        err=True,
    )


@click.command("test")
@with_appcontext
@ID
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def send_test(webhook_id: str, as_json: bool) -> None:
    """Send a test notification, and print the answer.

    The exit status is 1 if the webhook ID did not accept the notification.
    """
    with error_messages():
        attempt = require(services().events.send_test(webhook_id), webhook_id)
    if as_json:
        output.as_json(attempt._asdict())
    else:
        result = attempt.error or f"It answered {attempt.status}."
        click.echo(f"{result} ({attempt.milliseconds} ms)")
    if attempt.error is not None:
        raise click.exceptions.Exit(1)


FoundT = t.TypeVar("FoundT")


def require(found: FoundT | None, webhook_id: str) -> FoundT:
    """Return the result for a webhook, or end the command if there is no webhook."""
    if found is None:
        raise click.ClickException(
            f"There is no webhook {webhook_id}. 'flask oci webhooks list' shows ids."
        )
    return found


COMMANDS: t.Final = (edit, disable, enable, rotate_secret, send_test)
