"""Webhook deliveries: assigning events to webhooks, leasing and recording results.

Several processes may deliver at once. Each leases the delivery that it sends. When the
lease of a process that died expires, another process takes over the delivery.
"""

from __future__ import annotations

import typing as t
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from datetime import timedelta

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from .database import Database
from .database_clock import database_time
from .models import DEAD
from .models import DELIVERED
from .models import PENDING
from .outbox import as_event
from .outbox import forget_deliveries
from .outbox import select_events
from .outbox import StoredEvent
from .webhook_info import WebhookInfo
from .webhooks import Webhooks

#: How many events are assigned in one transaction.
BATCH_SIZE: t.Final = 200

#: How many pending deliveries are read at a time.
WINDOW: t.Final = 500

#: The maximum number of blocked lanes in a query's exclusion.
MOST_LANES: t.Final = 400

#: A repository, identified by its key or by one of its names.
Lane = int | str


class Claim(t.NamedTuple):
    """A delivery that this process has leased."""

    delivery_id: int
    lease: str
    attempts: int
    """The number of earlier attempts."""

    event: StoredEvent


class Outcome(t.NamedTuple):
    """The result of one attempt."""

    status: int | None
    """The HTTP status of the answer, or None if there was no answer."""

    error: str | None
    """The reason why there was no answer, or why it was not a success."""

    milliseconds: int

    @property
    def succeeded(self) -> bool:
        """Whether the webhook accepted the notification."""
        return self.error is None


class Waiting(t.NamedTuple):
    """A pending delivery."""

    id: int
    event_id: int
    repository_id: int | None
    repository: str | None
    former_name: str | None
    due_at: datetime
    leased_until: datetime | None

    @property
    def lanes(self) -> set[Lane]:
        """The key and the names of its repository. Deliveries that share one of them
        are made in order; receivers know a repository only by its names."""
        lanes = (self.repository_id, self.repository, self.former_name)
        return {lane for lane in lanes if lane is not None}

    def is_due(self, clock: datetime) -> bool:
        """Return True if it can be made now and no process has leased it.

        :param clock: the time of the database.
        """
        busy = self.leased_until and as_utc(self.leased_until) >= clock
        return as_utc(self.due_at) <= utcnow() and not busy


class Deliveries:
    """Assigns events to webhooks, leases deliveries, and records their results.
    :class:`~flask_oci.catalog.delivery_log.DeliveryLog` lists the results."""

    def __init__(self, database: Database, webhooks: Webhooks) -> None:
        self._db = database
        self._webhooks = webhooks

    def assign(self, max_pending: int) -> int:
        """Assign a batch of new events to webhooks.

        :param max_pending: the number of pending deliveries from which a webhook of an
            owner receives no further events.
        :return: the number of events assigned.
        """
        Event = self._db.models.Event
        new = sa.select(Event.id).where(Event.assigned_at.is_(None)).limit(1)
        if self._db.session.scalar(new) is None:
            self._db.release()
            return 0
        return self._db.write(lambda: self._assign(max_pending))

    def claim(self, webhook: WebhookInfo, lease: timedelta) -> Claim | None:
        """Lease the next delivery to a webhook that can be made now.

        The events of one repository are delivered in order, so a pending delivery
        blocks the later ones of its repository.

        :param lease: how long no other process can take the delivery.
        """
        # A lease has to last as long for every process, whatever its clock.
        clock = database_time(self._db)
        for delivery_id in self._heads(webhook.id, clock):
            claim = self._take(delivery_id, clock, lease)
            if claim is not None:
                return claim
        return None

    def record_outcome(
        self, claim: Claim, outcome: Outcome, retry_at: datetime | None
    ) -> None:
        """Record the result of an attempt.

        :param retry_at: when to try again; None is never.
        """
        models = self._db.models
        Delivery = models.Delivery
        state = PENDING if retry_at else DEAD
        values: dict[str, t.Any] = {"state": DELIVERED if outcome.succeeded else state}
        if retry_at is not None:
            values["due_at"] = retry_at

        def work() -> None:
            # If another process took over because this one was too slow, the result
            # of the other one counts.
            changed = self._db.session.execute(
                sa.update(Delivery.__table__)
                .where(Delivery.id == claim.delivery_id, Delivery.lease == claim.lease)
                .values(
                    attempts=claim.attempts + 1, lease=None, leased_until=None, **values
                )
            )
            tried = outcome.status is not None or outcome.error is not None
            if tried and t.cast(t.Any, changed).rowcount:
                self._db.session.execute(
                    sa.insert(models.DeliveryAttempt.__table__),
                    {
                        "delivery_id": claim.delivery_id,
                        "at": utcnow(),
                        **outcome._asdict(),
                    },
                )

        self._db.write(work)

    def drop(self, claim: Claim) -> None:
        """Delete a delivery that must not be made."""
        Delivery = self._db.models.Delivery
        self._db.write(
            lambda: forget_deliveries(
                self._db,
                sa.and_(
                    Delivery.id == claim.delivery_id, Delivery.lease == claim.lease
                ),
            )
        )

    def _assign(self, max_pending: int) -> int:
        models = self._db.models
        Delivery, Event = models.Delivery, models.Event
        # A webhook added after this query is notified only of later events.
        events = self._db.session.execute(
            sa.select(Event.id, Event.kind, Event.repository, Event.former_name)
            .where(Event.assigned_at.is_(None))
            .order_by(Event.id)
            .limit(BATCH_SIZE)
        ).all()
        names = {name for event in events for name in _names(event)}
        hooks, now = self._webhooks.hold(names), utcnow()
        full = self._full([hook.id for hook in hooks if hook.owner_id], max_pending)
        rows = [
            {
                "webhook_id": hook.id,
                "event_id": event.id,
                "state": PENDING,
                "attempts": 0,
                "due_at": now,
            }
            for event in events
            for hook in hooks
            if event.id > hook.after_id
            and hook.id not in full
            and hook.wants(event.kind, _names(event))
        ]
        if rows:
            self._db.insert_all_if_absent(Delivery, rows)
        if events:
            self._db.session.execute(
                sa.update(Event.__table__)
                .where(Event.id.in_([event.id for event in events]))
                .values(assigned_at=now)
            )
        return len(events)

    def _full(self, webhooks: list[str], most: int) -> set[str]:
        """Return the webhooks with at least so many pending deliveries."""
        Delivery, found = self._db.models.Delivery, set[str]()
        for start in range(0, len(webhooks), WINDOW):
            counted = self._db.execute(
                sa.select(Delivery.webhook_id)
                .where(
                    Delivery.webhook_id.in_(webhooks[start : start + WINDOW]),
                    Delivery.state == PENDING,
                )
                .group_by(Delivery.webhook_id)
                .having(sa.func.count() >= most)
            )
            found.update(counted.scalars())
        return found

    def _heads(self, webhook_id: str, clock: datetime) -> Iterator[int]:
        """Yield the deliveries that are due and not blocked by an earlier pending
        delivery for the same repository."""
        held_up: Counter[Lane] = Counter()
        last = 0
        while waiting := self._waiting(webhook_id, last, held_up):
            self._db.release()
            for delivery in waiting:
                free = held_up.keys().isdisjoint(delivery.lanes)
                held_up.update(delivery.lanes)
                if free and delivery.is_due(clock):
                    yield delivery.id
            if len(waiting) < WINDOW:
                return
            last = waiting[-1].event_id
        self._db.release()

    def _waiting(
        self, webhook_id: str, last: int, held_up: Counter[Lane]
    ) -> list[Waiting]:
        """Return the next pending deliveries, except those that are blocked and would
        block nothing more.

        :param last: the key of the event after which to begin.
        :param held_up: the blocked lanes, each with its number of deliveries.
        """
        models = self._db.models
        Delivery, Event = models.Delivery, models.Event
        statement = (
            sa.select(
                Delivery.id,
                Delivery.event_id,
                Event.repository_id,
                Event.repository,
                Event.former_name,
                Delivery.due_at,
                Delivery.leased_until,
            )
            .join(Event, Event.id == Delivery.event_id)
            .where(
                Delivery.webhook_id == webhook_id,
                Delivery.state == PENDING,
                Delivery.event_id > last,
            )
            .order_by(Delivery.event_id)
            .limit(WINDOW)
        )
        if held_up:
            lanes = [lane for lane, _ in held_up.most_common(MOST_LANES)]
            statement = statement.where(~self._is_within(lanes))
        return [Waiting(*row) for row in self._db.session.execute(statement)]

    def _is_within(self, lanes: list[Lane]) -> sa.ColumnElement[bool]:
        """Return the condition for deliveries whose lanes are all among the given ones.
        Such a delivery is blocked, and blocks no other lane."""
        Event = self._db.models.Event
        keys = [lane for lane in lanes if isinstance(lane, int)]
        names = [lane for lane in lanes if isinstance(lane, str)]
        return sa.and_(
            sa.or_(Event.repository_id.is_(None), Event.repository_id.in_(keys)),
            # An event without a repository is never blocked.
            Event.repository.is_not(None),
            Event.repository.in_(names),
            sa.or_(Event.former_name.is_(None), Event.former_name.in_(names)),
        )

    def _take(
        self, delivery_id: int, clock: datetime, length: timedelta
    ) -> Claim | None:
        Delivery = self._db.models.Delivery
        lease = str(uuid.uuid4())

        def work() -> Claim | None:
            taken = self._db.session.execute(
                sa.update(Delivery.__table__)
                .where(
                    Delivery.id == delivery_id,
                    Delivery.state == PENDING,
                    Delivery.due_at <= utcnow(),
                    sa.or_(
                        Delivery.leased_until.is_(None), Delivery.leased_until < clock
                    ),
                )
                .values(lease=lease, leased_until=clock + length)
            )
            if not t.cast(t.Any, taken).rowcount:
                return None
            Event = self._db.models.Event
            row = self._db.session.execute(
                select_events(self._db, Delivery.attempts)
                .join(Delivery, Delivery.event_id == Event.id)
                .where(Delivery.id == delivery_id)
            ).one()
            return Claim(delivery_id, lease, row[-1], as_event(row))

        return self._db.write(work)


def _names(event: t.Any) -> list[str]:
    """Return the present and the former name of the repository of an event."""
    return [name for name in (event.repository, event.former_name) if name]
