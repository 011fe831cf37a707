"""Webhooks: adding, listing, pausing and removing them."""

from __future__ import annotations

import secrets
import typing as t
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from fnmatch import fnmatchcase

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from .database import Database
from .database import newest
from .models import DELIVERED
from .outbox import forget_deliveries

#: The columns with lists of patterns.
_LISTS: t.Final = ("kinds", "repositories")


@dataclass(frozen=True, slots=True)
class WebhookInfo:
    """A URL that is notified of events."""

    id: str
    url: str
    form: str
    """``cloudevents`` or ``distribution``."""

    kinds: tuple[str, ...]
    """Patterns of event kinds."""

    repositories: tuple[str, ...]
    """Patterns of repository names."""

    after_id: int
    """The key of the last event before the webhook was added. Only later events are
    delivered."""

    created_at: datetime
    failures: int
    """The number of consecutive attempts without an answer."""

    paused_until: datetime | None
    """When deliveries resume, or None if the webhook is not paused."""

    disabled_at: datetime | None
    """When a user disabled the webhook, or None if it is enabled."""

    secret: str = field(repr=False)
    """The key of the signatures."""

    has_delivered: bool = False
    """Whether it has accepted one of the stored deliveries."""

    def wants(self, kind: str, names: Sequence[str]) -> bool:
        """Return True if the webhook is notified of an event.

        :param kind: the kind of the event.
        :param names: the names of the event's repository; empty if the event is not
            about a single repository.
        """
        return (
            self.disabled_at is None
            and any(fnmatchcase(kind, pattern) for pattern in self.kinds)
            and any(self.covers(name) for name in (names or ("*",)))
        )

    def covers(self, name: str) -> bool:
        """Return True if the webhook is notified of events of a repository."""
        return any(fnmatchcase(name, pattern) for pattern in self.repositories)

    def is_open(self, now: datetime) -> bool:
        """Return True if deliveries to the webhook may be made now."""
        is_paused = self.paused_until is not None and self.paused_until > now
        return self.disabled_at is None and not is_paused


class Webhooks:
    """Finds and changes webhooks."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(
        self,
        url: str,
        form: str,
        secret: str,
        kinds: Sequence[str],
        repositories: Sequence[str],
    ) -> WebhookInfo:
        """Add a webhook that is notified of later events.

        :param form: ``cloudevents`` or ``distribution``.
        :param secret: the key of the signatures.
        :param kinds: patterns of event kinds.
        :param repositories: patterns of repository names.
        """
        Webhook, Event = self._db.models.Webhook, self._db.models.Event
        key = secrets.token_hex(8)

        def work() -> None:
            last = self._db.session.scalar(sa.select(sa.func.max(Event.id)))
            self._db.session.execute(
                sa.insert(Webhook.__table__),
                {
                    "id": key,
                    "url": url,
                    "form": form,
                    "secret": secret,
                    "kinds": list(kinds),
                    "repositories": list(repositories),
                    "after_id": last or 0,
                    "created_at": utcnow(),
                    "failures": 0,
                },
            )

        self._db.write(work)
        (made,) = self.all(key)
        return made

    def all(self, key: str | None = None) -> list[WebhookInfo]:
        """Return all webhooks, the oldest first, or only the one with a key."""
        columns = self._db.models.Webhook.__table__.c
        statement = self._select(self._delivered()).order_by(
            columns.created_at, columns.id
        )
        if key is not None and not _is_key(key):
            return []
        if key is not None:
            statement = statement.where(columns.id == key)
        return self._found(statement)

    def remove(self, key: str) -> bool:
        """Delete a webhook with its deliveries.

        :return: True if it existed.
        """
        if not _is_key(key):
            return False
        models = self._db.models
        Delivery, Webhook = models.Delivery, models.Webhook

        def work() -> bool:
            # A transaction that assigns events to the webhook locks this row.
            found = sa.select(Webhook.id).where(Webhook.id == key).with_for_update()
            if self._db.session.scalar(found) is None:
                return False
            # SQLite cascades only if the host enables foreign keys per connection.
            forget_deliveries(self._db, Delivery.webhook_id == key)
            self._db.session.execute(
                sa.delete(Webhook.__table__).where(Webhook.id == key)
            )
            return True

        return self._db.write(work)

    def change(self, key: str, values: Mapping[str, t.Any]) -> bool:
        """Change columns of a webhook.

        :param values: the new values of ``url``, ``form``, ``kinds``, ``repositories``
            or ``secret``.
        :return: True if it exists.
        """
        if not _is_key(key):
            return False
        lists = {name: list(values[name]) for name in _LISTS if name in values}
        Webhook = self._db.models.Webhook
        changed = sa.update(Webhook.__table__).where(Webhook.id == key)
        return bool(
            self._db.write(lambda: self._db.change(changed.values({**values, **lists})))
        )

    def enable(self, key: str, enabled: bool) -> None:
        """Enable or disable a webhook. An enabled one is notified of later events."""
        Webhook, Event = self._db.models.Webhook, self._db.models.Event
        changed = sa.update(Webhook.__table__).where(Webhook.id == key)

        def work() -> None:
            values: dict[str, t.Any] = {"disabled_at": utcnow()}
            if enabled:
                last = self._db.session.scalar(sa.select(sa.func.max(Event.id)))
                values = {
                    "disabled_at": None,
                    "after_id": last or 0,
                    "failures": 0,
                    "paused_until": None,
                }
            self._db.session.execute(changed.values(**values))

        self._db.write(work)

    def pause(self, key: str, failures: int, until: datetime | None) -> None:
        """Pause or resume the deliveries to a webhook.

        :param failures: the number of consecutive attempts without an answer.
        :param until: when deliveries resume; None resumes them now.
        """
        Webhook = self._db.models.Webhook
        self._db.write(
            lambda: self._db.session.execute(
                sa.update(Webhook.__table__)
                .where(Webhook.id == key)
                .values(failures=failures, paused_until=until)
            )
        )

    def hold(self) -> list[WebhookInfo]:
        """Return all webhooks, and lock them against removal until the transaction
        ends."""
        columns = self._db.models.Webhook.__table__.c
        return self._found(newest(self._select().order_by(columns.id)))

    def _select(self, *more: t.Any) -> sa.Select[t.Any]:
        return sa.select(*self._db.models.Webhook.__table__.c, *more)

    def _delivered(self) -> t.Any:
        """Return the condition that a delivery to the webhook succeeded."""
        Delivery, Webhook = self._db.models.Delivery, self._db.models.Webhook
        found = sa.exists().where(
            Delivery.webhook_id == Webhook.__table__.c.id, Delivery.state == DELIVERED
        )
        return found.label("has_delivered")

    def _found(self, statement: sa.Select[t.Any]) -> list[WebhookInfo]:
        return [_info(row) for row in self._db.session.execute(statement)]


def _is_key(text: str) -> bool:
    """Return True if the text can be a key. Some databases raise an error when they
    compare other characters."""
    return text.isascii() and text.isalnum()


def _info(row: t.Any) -> WebhookInfo:
    fields = {
        **row._mapping,
        **{name: tuple(getattr(row, name)) for name in _LISTS},
        "created_at": as_utc(row.created_at),
        "paused_until": as_utc(row.paused_until) if row.paused_until else None,
        "disabled_at": as_utc(row.disabled_at) if row.disabled_at else None,
    }
    return WebhookInfo(**fields)
