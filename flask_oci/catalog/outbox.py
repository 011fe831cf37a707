"""Event outbox: events, written in the transactions that make the changes."""

from __future__ import annotations

import typing as t
import uuid
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from .models import PENDING

if t.TYPE_CHECKING:
    from ..changes import Change
    from .database import Database


#: How many events are deleted in one transaction.
BATCH_SIZE: t.Final = 500


class StoredEvent(t.NamedTuple):
    """A recorded event."""

    id: int
    """Its key. Later events of the same repository have greater keys."""

    uuid: str
    """Its identifier, by which receivers recognize a repeated delivery."""

    kind: str
    repository: str | None
    repository_id: int | None
    former_name: str | None
    at: datetime
    data: dict[str, t.Any]


class Outbox:
    """Lists events, and deletes old ones."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def latest(
        self,
        limit: int,
        *,
        repository: str | None = None,
        kind: str | None = None,
        before: int | None = None,
    ) -> list[StoredEvent]:
        """Return the latest events, the newest first.

        :param repository: return only events of this repository; None is all.
        :param kind: return only events of this kind; None is all.
        :param before: return only entries with a smaller key.
        """
        Event = self._db.models.Event
        statement = select_events(self._db).order_by(Event.id.desc()).limit(limit)
        if repository is not None:
            statement = statement.where(Event.repository == repository)
        if kind is not None:
            statement = statement.where(Event.kind == kind)
        if before is not None:
            statement = statement.where(Event.id < before)
        return [as_event(row) for row in self._db.session.execute(statement)]

    def prune(self, before: datetime) -> int:
        """Delete the events from before a moment that have no pending delivery.

        :return: the number of events deleted.
        """
        count = 0
        while deleted := self._db.write(lambda: self._forget(before)):
            count += deleted
        return count

    def forget(self, repository: str) -> None:
        """Delete the events of a repository that was created only for a check."""
        Event, Delivery = self._db.models.Event, self._db.models.Delivery
        keys = sa.select(Event.id).where(Event.repository == repository)

        def work() -> None:
            forget_deliveries(self._db, Delivery.event_id.in_(keys))
            self._db.session.execute(
                sa.delete(Event.__table__).where(Event.repository == repository)
            )

        self._db.write(work)

    def _forget(self, before: datetime) -> int:
        models = self._db.models
        Event, Delivery, Webhook = models.Event, models.Delivery, models.Webhook
        # An owner must not keep events by a webhook that is disabled.
        keeping = sa.select(Webhook.id).where(
            sa.or_(Webhook.owner_id.is_(None), Webhook.disabled_at.is_(None))
        )
        waits = sa.exists().where(
            Delivery.event_id == Event.id,
            Delivery.state == PENDING,
            Delivery.webhook_id.in_(keeping),
        )
        keys = self._db.session.scalars(
            sa.select(Event.id)
            .where(Event.at < before, ~waits)
            .where(sa.or_(Event.assigned_at.is_not(None), ~sa.exists(Webhook.id)))
            .limit(BATCH_SIZE)
        ).all()
        if keys:
            forget_deliveries(self._db, Delivery.event_id.in_(keys))
            self._db.session.execute(
                sa.delete(Event.__table__).where(Event.id.in_(keys))
            )
        return len(keys)


def keep(database: Database, changes: list[Change]) -> None:
    """Write the changes of a transaction to the outbox, before its commit.

    This is the last step of the transaction, which has locked the repository by then.
    The keys of a repository's events therefore ascend in the order of the commits.
    """
    rows = [
        {
            "uuid": str(uuid.uuid4()),
            "kind": change.kind,
            "repository_id": change.repository_id,
            "repository": change.repository,
            "former_name": change.former_name,
            "data": change.data(),
            "at": change.at,
        }
        for change in changes
        if database.observer.is_persisted(change.kind)
    ]
    if rows:
        database.execute(sa.insert(database.models.Event.__table__), rows)


def select_events(database: Database, *more: t.Any) -> sa.Select[t.Any]:
    """Return a query of the columns of :class:`StoredEvent`, followed by others."""
    columns = database.models.Event.__table__.c
    return sa.select(*(columns[name] for name in StoredEvent._fields), *more)


def as_event(row: t.Any) -> StoredEvent:
    """Return the event of a row of :func:`select_events`."""
    event = StoredEvent(*row[: len(StoredEvent._fields)])
    return event._replace(at=as_utc(event.at))


def forget_deliveries(database: Database, condition: t.Any) -> None:
    """Delete deliveries with their attempts, within a transaction."""
    models = database.models
    Delivery, Attempt = models.Delivery, models.DeliveryAttempt
    keys = sa.select(Delivery.id).where(condition)
    database.session.execute(
        sa.delete(Attempt.__table__).where(Attempt.delivery_id.in_(keys))
    )
    database.session.execute(sa.delete(Delivery.__table__).where(condition))
