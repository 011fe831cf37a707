"""Webhooks: adding, listing and removing them."""

from __future__ import annotations

import secrets
import typing as t
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
from .outbox import forget_deliveries


@dataclass(frozen=True, slots=True)
class WebhookInfo:
    """An address that is told of events."""

    id: str
    url: str
    form: str
    """``cloudevents`` or ``distribution``."""

    kinds: tuple[str, ...]
    """Patterns of kinds of events."""

    repositories: tuple[str, ...]
    """Patterns of names of repositories."""

    after_id: int
    """The last event that it is not told of, because it came later."""

    created_at: datetime
    failures: int
    """How often in a row nobody answered there."""

    paused_until: datetime | None
    """Until when it is left alone."""

    secret: str = field(repr=False)
    """What its signatures are made with."""

    def wants(self, kind: str, names: Sequence[str]) -> bool:
        """Tell whether it is to be told of an event.

        :param names: of the repository that it is about; none is of all of them.
        """
        return any(fnmatchcase(kind, pattern) for pattern in self.kinds) and any(
            self.covers(name) for name in (names or ("*",))
        )

    def covers(self, name: str) -> bool:
        """Tell whether it is told of a repository of that name."""
        return any(fnmatchcase(name, pattern) for pattern in self.repositories)


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
        """Have an address told of what happens from now on."""
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
        """Return every webhook, the oldest first, or the one of a key."""
        columns = self._db.models.Webhook.__table__.c
        statement = self._select().order_by(columns.created_at, columns.id)
        if key is not None:
            statement = statement.where(columns.id == key)
        return self._found(statement)

    def remove(self, key: str) -> bool:
        """Forget a webhook, and what it has yet to be told.

        :return: whether there was one.
        """
        models = self._db.models
        Delivery, Webhook = models.Delivery, models.Webhook

        def work() -> bool:
            # Whoever assigns events to it holds this row meanwhile.
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

    def pause(self, key: str, failures: int, until: datetime | None) -> None:
        """Leave a webhook alone for a while, or no longer."""
        Webhook = self._db.models.Webhook
        self._db.write(
            lambda: self._db.session.execute(
                sa.update(Webhook.__table__)
                .where(Webhook.id == key)
                .values(failures=failures, paused_until=until)
            )
        )

    def hold(self) -> list[WebhookInfo]:
        """Return every webhook, and keep each from being removed until the transaction
        ends."""
        columns = self._db.models.Webhook.__table__.c
        return self._found(newest(self._select().order_by(columns.id)))

    def _select(self) -> sa.Select[t.Any]:
        columns = self._db.models.Webhook.__table__.c
        return sa.select(*(columns[name] for name in WebhookInfo.__dataclass_fields__))

    def _found(self, statement: sa.Select[t.Any]) -> list[WebhookInfo]:
        return [_info(row) for row in self._db.session.execute(statement)]


def _info(row: t.Any) -> WebhookInfo:
    fields = {
        **row._mapping,
        "kinds": tuple(row.kinds),
        "repositories": tuple(row.repositories),
        "created_at": as_utc(row.created_at),
        "paused_until": as_utc(row.paused_until) if row.paused_until else None,
    }
    return WebhookInfo(**fields)
