"""``flask oci events``: what happened, and who has been told."""

from __future__ import annotations

import signal
import threading
import typing as t

import click
from flask.cli import with_appcontext

from ..changes import KINDS
from ..events.delivery import DeliveryResult
from ..services import services
from . import output
from .common import told

if t.TYPE_CHECKING:
    from ..catalog.delivery_log import DeliveryRow
    from ..catalog.outbox import StoredEvent

JSON: t.Final = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON instead of text."
)
LIMIT: t.Final = click.option(
    "--limit",
    type=click.IntRange(min=1, max=10_000),
    default=50,
    show_default=True,
    help="How many to show.",
)


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
@LIMIT
@JSON
def list_events(
    repository: str | None, kind: str | None, limit: int, as_json: bool
) -> None:
    """List the last events, the newest first.

    Which kinds are kept is said by OCI_EVENTS, and for how long by
    OCI_EVENT_LIFETIME.
    """
    with told():
        found = services().events.latest(limit, repository=repository, kind=kind)
    if as_json:
        output.as_json([_fields(event) for event in found])
        return
    output.table(
        ("id", "when", "what", "repository", "", "by"), [_row(event) for event in found]
    )
    if not found:
        output.none_found("There are no such events.")


@events.command("deliver")
@with_appcontext
@click.option("--follow", is_flag=True, help="Go on, until you end it.")
@JSON
def deliver(follow: bool, as_json: bool) -> None:
    """Tell the webhooks of what they have not been told yet.

    Each is told of every event at least once, and of those of one repository in order.
    It may be ended at any time, and any number of these may run at once. The exit
    status is 1 when a webhook could not be told now; it is tried again later.
    """
    with told():
        if follow:
            _follow()
            return
        done = services().events.deliver()
    if as_json:
        output.as_json(done._asdict())
    else:
        _summarise(done)
    if done.failed:
        raise click.exceptions.Exit(1)


@events.command("show")
@with_appcontext
@click.argument("event_id", metavar="ID", type=int)
@JSON
def show(event_id: int, as_json: bool) -> None:
    """Show which webhooks are to be told of the event ID, and every attempt to."""
    with told():
        rows = services().events.deliveries_of(event_id)
    _show(rows, as_json, "No webhook is to be told of that event.")


@events.command("dead")
@with_appcontext
@click.option("--webhook", metavar="ID", help="Only what this one was to be told.")
@LIMIT
@JSON
def dead(webhook: str | None, limit: int, as_json: bool) -> None:
    """List what was given up, after OCI_WEBHOOK_ATTEMPTS attempts."""
    with told():
        rows = services().events.dead(limit, webhook)
    _show(rows, as_json, "Nothing was given up.")


@events.command("replay")
@with_appcontext
@click.argument("event_ids", metavar="[ID]...", type=int, nargs=-1)
@click.option("--webhook", metavar="ID", help="Tell only this one.")
@click.option("--dead", "all_dead", is_flag=True, help="Everything that was given up.")
@JSON
def replay(
    event_ids: tuple[int, ...], webhook: str | None, all_dead: bool, as_json: bool
) -> None:
    """Have webhooks told once more of the events ID, or with --dead of everything that
    was given up. 'flask oci events deliver' tells them."""
    if all_dead == bool(event_ids):
        raise click.UsageError("Say which events, or --dead.")
    with told():
        chosen = None if all_dead else event_ids
        count = services().events.replay(chosen, webhook=webhook)
    if as_json:
        output.as_json({"replayed": count})
    else:
        click.echo(f"{count} deliveries are due again.")


@events.command("prune")
@with_appcontext
@JSON
def prune(as_json: bool) -> None:
    """Forget events that are older than OCI_EVENT_LIFETIME.

    'flask oci gc' does so, too. What a webhook has yet to be told of stays.
    """
    with told():
        count = services().events.prune()
    if as_json:
        output.as_json({"pruned": count})
    else:
        click.echo(f"Forgot {count} events.")


def _follow() -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    services().events.follow(stop)


def _summarise(done: DeliveryResult) -> None:
    click.echo(f"Told webhooks {done.delivered} times; {done.failed} failed.")


def _show(rows: list[DeliveryRow], as_json: bool, otherwise: str) -> None:
    if as_json:
        output.as_json([_delivery(row) for row in rows])
        return
    for row in rows:
        output.section(f"Event {row.event.id} to webhook {row.webhook_id}")
        output.facts(
            [
                ("what", f"{row.event.kind} {row.event.repository or ''}".strip()),
                ("state", row.state),
                ("attempts", row.attempts),
                ("next", output.minute(row.due_at) if row.state == "pending" else None),
            ]
        )
        output.table(
            ("when", "status", "ms", "why"),
            [
                (f"{a.at:%Y-%m-%d %H:%M:%S}", a.status or "-", a.milliseconds, a.error)
                for a in row.log
            ],
        )
    if not rows:
        output.none_found(otherwise)


def _delivery(row: DeliveryRow) -> dict[str, t.Any]:
    return {
        "webhook": row.webhook_id,
        "state": row.state,
        "attempts": row.attempts,
        "due": row.due_at,
        "event": _fields(row.event),
        "log": [attempt._asdict() for attempt in row.log],
    }


def _fields(event: StoredEvent) -> dict[str, t.Any]:
    return {
        "id": event.id,
        "uuid": event.uuid,
        "kind": event.kind,
        "repository": event.repository,
        "at": event.at,
        **event.data,
    }


def _row(event: StoredEvent) -> tuple[object, ...]:
    what = " ".join(
        f"{name}={value}"
        for name in ("tag", "digest", "former_name", "owner", "visibility")
        if (value := event.data.get(name))
    )
    return (
        event.id,
        f"{event.at:%Y-%m-%d %H:%M:%S}",
        event.kind,
        event.repository or "-",
        what,
        event.data.get("actor") or "-",
    )
