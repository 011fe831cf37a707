"""``flask oci events``: what happened, and who has been told."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta

import click
from flask.cli import with_appcontext

from ..changes import KINDS
from ..models import utcnow
from ..services import services
from .common import printable
from .common import told

if t.TYPE_CHECKING:
    from ..catalog.outbox import StoredEvent


@click.group()
def events() -> None:
    """Show what happened to repositories, and tell webhooks of it.

    An event is written in the transaction that makes it happen, so none is ever
    missing, and none is of something that did not happen.
    """


@events.command("list")
@with_appcontext
@click.option("--repository", metavar="NAME", help="Only what happened to this one.")
@click.option("--kind", type=click.Choice(KINDS), help="Only events of this kind.")
@click.option(
    "--limit",
    type=click.IntRange(min=1, max=10_000),
    default=50,
    show_default=True,
    help="How many to show.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_events(
    repository: str | None, kind: str | None, limit: int, as_json: bool
) -> None:
    """List the last events, the newest first.

    Which kinds are kept is said by OCI_EVENTS, and for how long by
    OCI_EVENT_LIFETIME.
    """
    with told():
        found = services().catalog.outbox.latest(
            limit, repository=repository, kind=kind
        )
    if as_json:
        click.echo(json.dumps([_fields(event) for event in found]))
        return
    for event in found:
        click.echo(printable(_line(event)))
    if not found:
        click.echo("There are no such events.", err=True)


@events.command("prune")
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def prune(as_json: bool) -> None:
    """Forget events that are older than OCI_EVENT_LIFETIME.

    'flask oci gc' does so, too. What a webhook has yet to be told of stays.
    """
    parts = services()
    with told():
        before = utcnow() - timedelta(seconds=parts.config.event_lifetime)
        count = parts.catalog.outbox.prune(before)
    click.echo(json.dumps({"pruned": count}) if as_json else f"Forgot {count} events.")


def _fields(event: StoredEvent) -> dict[str, t.Any]:
    return {
        "id": event.id,
        "uuid": event.uuid,
        "kind": event.kind,
        "repository": event.repository,
        "at": event.at.isoformat(),
        **event.data,
    }


def _line(event: StoredEvent) -> str:
    what = " ".join(
        f"{name}={value}"
        for name in ("tag", "digest", "former_name", "owner", "visibility")
        if (value := event.data.get(name))
    )
    return (
        f"{event.id}  {event.at:%Y-%m-%d %H:%M:%S}  {event.kind}"
        f"  {event.repository or '-'}  {what}  by {event.data.get('actor') or '-'}"
    )
