"""Login failure counts, shared by all worker processes."""

from __future__ import annotations

import typing as t
from datetime import datetime
from datetime import timedelta

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from .database import Database


class _MaximumReached(Exception):
    """A key has reached its maximum, so the transaction is rolled back."""


class LoginFailures:
    """Counts failed logins by key, in time windows."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def counts(
        self, keys: t.Collection[str], window: timedelta
    ) -> dict[str, tuple[int, datetime]]:
        """Return the number of failures of each key, and the start of its window.

        This commits the session's transaction, which may read rows as of an earlier
        time.

        :param window: the length of a time window.
        """
        self._db.release()
        table = self._table
        rows = self._db.session.execute(
            sa.select(table.c.key, table.c.count, table.c.since).where(
                table.c.key.in_(keys), table.c.since > utcnow() - window
            )
        )
        return {key: (count, as_utc(since)) for key, count, since in rows}

    def add(self, most: t.Mapping[str, int], window: timedelta) -> bool:
        """Count a failure for each key, or for none if a key has reached its maximum.
        An expired window is started again.

        :param most: the maximum number of failures of each key.
        :param window: the length of a time window.
        :return: True if the failure was counted.
        """
        now = utcnow()

        def work() -> bool:
            table = self._table
            self._db.session.execute(
                sa.delete(table).where(table.c.since <= now - window)
            )
            for key in sorted(most):
                model = self._db.models.LoginFailure
                self._db.insert_if_absent(model, key=key, count=0, since=now)
                # The condition and the change are one statement, so that simultaneous
                # failures cannot exceed the maximum.
                counted = self._db.change(
                    sa.update(table)
                    .where(table.c.key == key, table.c.count < most[key])
                    .values(count=table.c.count + 1)
                )
                if not counted:
                    raise _MaximumReached
            return True

        try:
            return self._db.write(work)
        except _MaximumReached:
            return False

    def forget(self, key: str) -> None:
        """Reset the count of a key, after a successful login."""
        table = self._table
        self._db.record(
            lambda: self._db.session.execute(sa.delete(table).where(table.c.key == key))
        )

    @property
    def _table(self) -> sa.Table:
        return self._db.models.LoginFailure.__table__
