"""``flask oci events``: the event log and the deliveries to webhooks."""

from __future__ import annotations

import signal
import threading
import typing as t

import click
from flask.cli import with_appcontext

from ..changes import KINDS
from ..events.delivery import DeliveryResult
from ..rules.wording import plural
from ..services import services
from . import output
from .aliases import Group
from .common import error_messages

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
    help="The number of rows to show.",
)


@click.group(cls=Group)
def events() -> None:
    """Show events, and deliver them to webhooks.

    The registry writes an event in the transaction of the change, so the log contains
    every change, and only changes that were committed.
    """


@events.command("list")
@with_appcontext
@click.option("--repository", metavar="NAME", help="Only events of this repository.")
@click.option("--kind", type=click.Choice(KINDS), help="Only events of this kind.")
@LIMIT
@JSON
def list_events(
    repository: str | None, kind: str | None, limit: int, as_json: bool
) -> None:
    """List the last events, the newest first.

    OCI_EVENTS sets which kinds of events are stored, and OCI_EVENT_LIFETIME for how
    long.
    """
    with error_messages():
        found = services().events.latest(limit, repository=repository, kind=kind)
    if as_json:
        output.as_json([_fields(event) for event in found])
        return
    output.table(
        ("id", "time", "kind", "repository", "details", "by"),
        [_row(event) for event in found],
    )
    if not found:
        output.none_found("No events found.")


@events.command("deliver")
@with_appcontext
@click.option("--follow", is_flag=True, help="Keep running until interrupted.")
@JSON
def deliver(follow: bool, as_json: bool) -> None:
    """Deliver pending events to the webhooks.

    Each webhook receives every event at least once, and the events of one repository in
    order. The command may be interrupted at any time, and several may run at once. The
    exit status is 1 if a delivery failed; it is retried later.
    """
    with error_messages():
        if follow:
            _follow()
            return
        done = services().events.deliver()
    if as_json:
        output.as_json(done._asdict())
    else:
        _print_summary(done)
    if done.failed:
        raise click.exceptions.Exit(1)


@events.command("show")
@with_appcontext
@click.argument("event_id", metavar="ID", type=int)
@JSON
def show(event_id: int, as_json: bool) -> None:
    """Show the deliveries of an event.

    The command shows the webhooks that receive the event ID, and every attempt.
    """
    with error_messages():
        rows = services().events.deliveries_of(event_id)
    _print_deliveries(rows, as_json, "No webhook receives that event.")


@events.command("dead")
@with_appcontext
@click.option("--webhook", metavar="ID", help="Only deliveries to this webhook.")
@LIMIT
@JSON
def dead(webhook: str | None, limit: int, as_json: bool) -> None:
    """List the deliveries whose attempts all failed.

    OCI_WEBHOOK_ATTEMPTS is the number of attempts.
    """
    with error_messages():
        rows = services().events.dead(limit, webhook)
    _print_deliveries(rows, as_json, "There are no dead deliveries.")


@events.command("replay")
@with_appcontext
@click.argument("event_ids", metavar="[ID]...", type=int, nargs=-1)
@click.option("--webhook", metavar="ID", help="Only deliver to this webhook.")
@click.option("--dead", "all_dead", is_flag=True, help="Replay all dead deliveries.")
@JSON
def replay(
    event_ids: tuple[int, ...], webhook: str | None, all_dead: bool, as_json: bool
) -> None:
    """Schedule another delivery of events.

    The command takes the events ID, or with --dead those of all dead deliveries.
    'flask oci events deliver' delivers them.
    """
    if all_dead == bool(event_ids):
        raise click.UsageError("Give event ids, or --dead.")
    with error_messages():
        chosen = None if all_dead else event_ids
        count = services().events.replay(chosen, webhook=webhook)
    if as_json:
        output.as_json({"replayed": count})
    else:
        click.echo(f"Scheduled {plural(count, 'delivery', 'deliveries')}.")


@events.command("prune")
@with_appcontext
@JSON
def prune(as_json: bool) -> None:
    """Delete events that are older than OCI_EVENT_LIFETIME.

    'flask oci gc' does this too. Events with pending deliveries are not deleted.
    """
    with error_messages():
        count = services().events.prune()
    if as_json:
        output.as_json({"pruned": count})
    else:
        click.echo(f"Deleted {plural(count, 'event')}.")


def _follow() -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    services().events.follow(stop)


def _print_summary(done: DeliveryResult) -> None:
    click.echo(f"Delivered {plural(done.delivered, 'webhook')}; {done.failed} failed.")


def _print_deliveries(
    rows: list[DeliveryRow], as_json: bool, empty_message: str
) -> None:
    if as_json:
        output.as_json([_delivery(row) for row in rows])
        return
    for row in rows:
        output.section(f"Event {row.event.id} to webhook {row.webhook_id}")
        output.facts(
            [
                ("event", f"{row.event.kind} {row.event.repository or ''}".strip()),
                ("state", row.state),
                ("attempts", row.attempts),
                ("next", output.minute(row.due_at) if row.state == "pending" else None),
            ]
        )
        output.table(
            ("time", "status", "ms", "error"),
            [(output.second(a.at), a.status, a.milliseconds, a.error) for a in row.log],
        )
    if not rows:
        output.none_found(empty_message)


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
        event.at,
        event.kind,
        event.repository,
        what,
        event.data.get("actor"),
    )
