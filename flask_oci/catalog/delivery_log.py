"""Delivery log: deliveries with their attempts, counts, and replay."""

from __future__ import annotations

import typing as t
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from .database import Database
from .models import DEAD
from .models import DELIVERED
from .models import PENDING
from .outbox import as_event
from .outbox import select_events
from .outbox import StoredEvent

#: The number of deliveries whose attempts are read at a time.
BATCH_SIZE: t.Final = 500


class DeliveryRow(t.NamedTuple):
    """A delivery in a list."""

    id: int
    webhook_id: str
    state: str
    attempts: int
    due_at: datetime
    event: StoredEvent
    log: list[Attempt]


class Attempt(t.NamedTuple):
    """A request to a webhook."""

    at: datetime
    status: int | None
    error: str | None
    milliseconds: int


class DeliveryLog:
    """Lists and replays deliveries."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def rows(self, limit: int, *conditions: t.Any) -> list[DeliveryRow]:
        """Return deliveries with their attempts, the newest event first.

        :param limit: the maximum number of results.
        """
        models = self._db.models
        Delivery, Event = models.Delivery, models.Event
        own = (
            Delivery.id,
            Delivery.webhook_id,
            Delivery.state,
            Delivery.attempts,
            Delivery.due_at,
        )
        statement = (
            select_events(self._db, *(column.label(None) for column in own))
            .join(Delivery, Delivery.event_id == Event.id)
            .where(*conditions)
            .order_by(Event.id.desc(), Delivery.id)
            .limit(limit)
        )
        rows = self._db.session.execute(statement).all()
        logs, found = self._logs([row[-len(own)] for row in rows]), []
        for row in rows:
            key, webhook_id, state, attempts, due_at = row[-len(own) :]
            about = (key, webhook_id, state, attempts, as_utc(due_at))
            found.append(DeliveryRow(*about, as_event(row), logs[key]))
        return found

    def counts(self) -> dict[str, int]:
        """Return the number of deliveries in each state except "delivered", and the
        number of ``unassigned`` events, which is 0 without webhooks."""
        models = self._db.models
        Delivery, Event = models.Delivery, models.Event
        counted = self._db.session.execute(
            sa.select(Delivery.state, sa.func.count())
            .where(Delivery.state != DELIVERED)
            .group_by(Delivery.state)
        )
        found = {PENDING: 0, DEAD: 0}
        for state, count in counted:
            found[state] = count
        new = sa.select(sa.func.count(Event.id)).where(
            Event.assigned_at.is_(None), sa.exists(models.Webhook.id)
        )
        return {**found, "unassigned": self._db.session.scalar(new) or 0}

    def replay(self, *conditions: t.Any) -> int:
        """Make finished deliveries pending again, with no attempts made.

        :return: the number of deliveries.
        """
        Delivery = self._db.models.Delivery

        def work() -> int:
            result = self._db.session.execute(
                sa.update(Delivery.__table__)
                .where(Delivery.state != PENDING, *conditions)
                .values(state=PENDING, attempts=0, due_at=utcnow(), lease=None)
            )
            return int(t.cast(t.Any, result).rowcount)

        return self._db.write(work)

    def dead(self, webhook_id: str | None = None) -> t.Any:
        """Return the condition for dead deliveries."""
        Delivery = self._db.models.Delivery
        given_up = Delivery.state == DEAD
        return (
            given_up
            if webhook_id is None
            else sa.and_(given_up, Delivery.webhook_id == webhook_id)
        )

    def to_webhook(
        self, webhook_id: str, state: str | None, before: int | None
    ) -> t.Any:
        """Return the condition for the deliveries to a webhook.

        :param state: only deliveries in this state; None is all.
        :param before: only deliveries of events with a smaller key.
        """
        Delivery = self._db.models.Delivery
        conditions = [Delivery.webhook_id == webhook_id]
        if state is not None:
            conditions.append(Delivery.state == state)
        if before is not None:
            conditions.append(Delivery.event_id < before)
        return sa.and_(*conditions)

    def of_events(self, keys: Sequence[int], webhook_id: str | None = None) -> t.Any:
        """Return the condition for the deliveries of some events."""
        Delivery = self._db.models.Delivery
        chosen = Delivery.event_id.in_(keys)
        return (
            chosen
            if webhook_id is None
            else sa.and_(chosen, Delivery.webhook_id == webhook_id)
        )

    def _logs(self, keys: Sequence[int]) -> defaultdict[int, list[Attempt]]:
        """Return the attempts by the key of their delivery."""
        columns = self._db.models.DeliveryAttempt.__table__.c
        wanted = ("delivery_id", *Attempt._fields)
        statement = sa.select(*(columns[name] for name in wanted)).order_by(columns.id)
        found: defaultdict[int, list[Attempt]] = defaultdict(list)
        for start in range(0, len(keys), BATCH_SIZE):
            some = columns.delivery_id.in_(keys[start : start + BATCH_SIZE])
            for key, at, *rest in self._db.session.execute(statement.where(some)):
                found[key].append(Attempt(as_utc(at), *rest))
        return found
