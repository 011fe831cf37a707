"""Webhooks: adding, listing, pausing and removing them."""

from __future__ import annotations

import secrets
import typing as t
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta

import sqlalchemy as sa

from ..clock import utcnow
from ..rules.wording import plural
from .database import Database
from .database import newest
from .models import DEAD
from .models import DELIVERED
from .models import PENDING
from .outbox import forget_deliveries
from .webhook_info import as_webhook
from .webhook_info import LISTS
from .webhook_info import OwnerScope
from .webhook_info import scopes_of
from .webhook_info import TooManyWebhooks
from .webhook_info import WebhookInfo

#: How many scopes one statement contains.
SCOPES: t.Final = 500


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
        owner: OwnerScope | None = None,
    ) -> WebhookInfo:
        """Add a webhook that is notified of later events.

        :param form: ``cloudevents`` or ``distribution``.
        :param secret: the key of the signatures.
        :param kinds: patterns of event kinds.
        :param repositories: patterns of repository names.
        :param owner: the owner and the bounds; None is a webhook of the site.
        :raises TooManyWebhooks: if the owner or the scope has too many.
        :raises UserDeleted: if the owner has been deleted.
        """
        Webhook, Event = self._db.models.Webhook, self._db.models.Event
        key = secrets.token_hex(8)

        def work() -> None:
            if owner is not None:
                self._check_number(owner)
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
                    "owner_id": None if owner is None else owner.owner_id,
                    "scope": None if owner is None else owner.scope,
                },
            )

        # The lock of the owner makes simultaneous additions wait for each other.
        by = None if owner is None else owner.owner_id
        self._db.write(work, by=by, exclusive=owner is not None)
        (made,) = self.all(key)
        return made

    def _check_number(self, owner: OwnerScope) -> None:
        table = self._db.models.Webhook.__table__
        for condition, most, name in (
            (table.c.owner_id == owner.owner_id, owner.most, "You have"),
            (table.c.scope == owner.scope, owner.most_in_scope, f"{owner.scope} has"),
        ):
            counted = sa.select(sa.func.count()).select_from(table).where(condition)
            if (self._db.session.scalar(counted) or 0) >= most:
                raise TooManyWebhooks(
                    f"{name} {plural(most, 'webhook')}, which is the maximum. Delete"
                    " one of them."
                )

    def due(self, now: datetime) -> list[WebhookInfo]:
        """Return the webhooks to which a delivery may be made now."""
        models = self._db.models
        Delivery, columns = models.Delivery, models.Webhook.__table__.c
        waits = sa.exists().where(
            Delivery.webhook_id == columns.id,
            Delivery.state == PENDING,
            Delivery.due_at <= now,
        )
        is_open = sa.or_(columns.paused_until.is_(None), columns.paused_until <= now)
        return self._found(
            self._select()
            .where(columns.disabled_at.is_(None), is_open, waits)
            .order_by(columns.id)
        )

    def owned_by(self, owner_id: t.Any) -> list[WebhookInfo]:
        """Return the webhooks of an owner, the oldest first."""
        columns = self._db.models.Webhook.__table__.c
        return self._found(
            self._select(self._delivered())
            .where(columns.owner_id == owner_id)
            .order_by(columns.created_at, columns.id)
        )

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

        :param values: the new values of ``url``, ``form``, ``kinds``, ``repositories``,
            ``scope`` or ``secret``.
        :return: True if it exists.
        """
        if not _is_key(key):
            return False
        lists = {name: list(values[name]) for name in LISTS if name in values}
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
            values: dict[str, t.Any] = {
                "disabled_at": utcnow(),
                "disabled_reason": None,
            }
            if enabled:
                last = self._db.session.scalar(sa.select(sa.func.max(Event.id)))
                values = {
                    "disabled_at": None,
                    "disabled_reason": None,
                    "after_id": last or 0,
                    "failures": 0,
                    "failing_since": None,
                    "paused_until": None,
                }
            self._db.session.execute(changed.values(**values))

        self._db.write(work)

    def pause(
        self,
        key: str,
        failures: int,
        until: datetime | None,
        failing_since: datetime | None,
    ) -> None:
        """Pause or resume the deliveries to a webhook.

        :param failures: the number of consecutive attempts without an answer.
        :param until: when deliveries resume; None resumes them now.
        :param failing_since: the first failed attempt since the last success, or None.
        """
        Webhook = self._db.models.Webhook
        self._db.write(
            lambda: self._db.session.execute(
                sa.update(Webhook.__table__)
                .where(Webhook.id == key)
                .values(
                    failures=failures, paused_until=until, failing_since=failing_since
                )
            )
        )

    def give_up(self, key: str, reason: str) -> bool:
        """Disable a webhook that fails, and make its pending deliveries dead, so that
        their events can be deleted.

        :param reason: the reason, which its owner sees.
        :return: True if it was enabled.
        """
        Webhook, Delivery = self._db.models.Webhook, self._db.models.Delivery

        def work() -> bool:
            disabled = self._db.change(
                sa.update(Webhook.__table__)
                .where(Webhook.id == key, Webhook.disabled_at.is_(None))
                .values(disabled_at=utcnow(), disabled_reason=reason)
            )
            self._db.execute(
                sa.update(Delivery.__table__)
                .where(Delivery.webhook_id == key, Delivery.state == PENDING)
                .values(state=DEAD, lease=None, leased_until=None)
            )
            return bool(disabled)

        return self._db.write(work)

    def begin_test(self, webhook: WebhookInfo, interval: timedelta) -> bool:
        """Record the start of a test.

        :param interval: the time that must have passed since the last test of a
            webhook of the same owner.
        :return: False if it has not.
        """
        Webhook, now = self._db.models.Webhook, utcnow()
        recent = sa.select(Webhook.id).where(
            Webhook.owner_id == webhook.owner_id, Webhook.tested_at > now - interval
        )

        def work() -> bool:
            if webhook.owner_id is not None and self._db.execute(recent).first():
                return False
            self._db.execute(
                sa.update(Webhook.__table__)
                .where(Webhook.id == webhook.id)
                .values(tested_at=now)
            )
            return True

        owner = webhook.owner_id
        return self._db.write(work, by=owner, exclusive=owner is not None)

    def accept_test(self, key: str) -> None:
        """Record that a webhook accepted a test, which ends its pause."""
        Webhook = self._db.models.Webhook
        values = {"failures": 0, "paused_until": None, "failing_since": None}
        self._db.write(
            lambda: self._db.execute(
                sa.update(Webhook.__table__)
                .where(Webhook.id == key)
                .values(accepted_at=utcnow(), **values)
            )
        )

    def hold(self, names: Iterable[str]) -> list[WebhookInfo]:
        """Return the webhooks of the site, and those of owners whose scope contains one
        of some repositories, and lock them against removal until the transaction ends.

        :param names: the names of repositories.
        """
        columns = self._db.models.Webhook.__table__.c
        scopes = sorted({scope for name in names for scope in scopes_of(name)})
        found: list[WebhookInfo] = []
        for start in range(0, max(len(scopes), 1), SCOPES):
            wanted: t.Any = columns.scope.in_(scopes[start : start + SCOPES])
            if start == 0:
                wanted = sa.or_(columns.owner_id.is_(None), wanted)
            found += self._found(newest(self._select().where(wanted)))
        return sorted(found, key=lambda webhook: webhook.id)

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
        return [as_webhook(row) for row in self._db.session.execute(statement)]


def _is_key(text: str) -> bool:
    """Return True if the text can be a key. Some databases raise an error when they
    compare other characters."""
    return text.isascii() and text.isalnum()
