"""Upload sessions in a bucket: their state, and leases that exclude other processes.

Each change compares the lease in its own statement. A process that was paused longer
than its lease therefore changes no row once another process has the session.
"""

from __future__ import annotations

import typing as t
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from ..errors import BlobUploadUnknown
from ..storage.buckets.state import UploadRecord
from .database_clock import time_in

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..storage.buckets.state import UploadState
    from ..storage.place import Place
    from .database import Condition
    from .database import Database

#: The number of rows that are read at a time.
BATCH: t.Final = 500


class BucketUploads:
    """Records of upload sessions; see
    :class:`~flask_oci.storage.buckets.state.UploadRecords`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def begin(self, uuid: str, state: str) -> None:
        """Insert the record of a session."""

        def work() -> None:
            self._db.execute(
                sa.insert(self._table).values(
                    uuid=uuid,
                    state=state,
                    length=0,
                    is_ended=False,
                    touched_at=time_in(self._db),
                )
            )

        self._db.write(work)

    def find(self, uuid: str) -> UploadRecord | None:
        """Return the record of a session, or None if it is absent or has ended."""
        found = self._db.execute(self._reading(self._open(uuid))).first()
        return None if found is None else _record(found)

    def find_any(self, uuid: str) -> UploadRecord | None:
        """Return the record of a session, also of an ended one, or None if it is
        absent."""
        found = self._db.execute(self._reading(self._table.c.uuid == uuid)).first()
        if found is None:
            # Usually nothing follows that would return the connection.
            self._db.release()
            return None
        return _record(found)

    def is_leased(self, uuid: str) -> bool:
        """Return True if a process has a lease of a session."""
        leased = self._table.c.leased_until > time_in(self._db)
        query = sa.select(sa.exists().where(self._open(uuid), leased))
        return bool(self._db.execute(query).scalar())

    def all(self) -> Iterator[UploadRecord]:
        """Yield the records of all sessions, also of ended ones."""
        last = ""
        while True:
            rows = self._db.execute(
                self._reading(self._table.c.uuid > last)
                .order_by(self._table.c.uuid)
                .limit(BATCH)
            ).all()
            yield from map(_record, rows)
            if len(rows) < BATCH:
                return
            last = rows[-1].uuid

    def claim(self, uuid: str, lease: str, seconds: float) -> UploadRecord | None:
        """Give a lease to a process, unless another process has a valid one.

        :return: None if another process has a lease.
        :raises BlobUploadUnknown: if the session is absent or has ended.
        """
        columns = self._table.c

        def work() -> UploadRecord | None:
            is_expired = columns.leased_until < time_in(self._db)
            is_free = sa.or_(columns.lease.is_(None), is_expired)
            claiming = (
                sa.update(self._table)
                .where(self._open(uuid), is_free)
                .values(lease=lease, leased_until=time_in(self._db, seconds))
            )
            reading = self._reading(self._open(uuid))
            if self._db.can_return_changes:
                row = self._db.execute(claiming.returning(*self._fields)).first()
            else:
                is_claimed = self._db.change(claiming) > 0
                row = self._db.execute(reading).first() if is_claimed else None
            if row is not None:
                return _record(row)
            if self._db.execute(reading).first() is None:
                raise BlobUploadUnknown(detail=uuid)
            return None

        return self._db.write(work)

    def save(self, uuid: str, lease: str, state: UploadState, seconds: float) -> bool:
        """Save the state of a session, and renew the lease.

        :param seconds: the length of the lease from now; 0 ends it.
        :return: False if another process has taken the lease, or the session has ended.
        """

        def work() -> bool:
            return self._change(
                self._leased(uuid, lease),
                state=state.as_text(),
                location=state.location,
                length=state.length,
                lease=lease if seconds else None,
                leased_until=time_in(self._db, seconds),
                touched_at=time_in(self._db),
            )

        return self._db.write(work)

    def renew(self, uuid: str, lease: str, seconds: float) -> bool:
        """Renew a lease. The result is that of :meth:`save`."""

        def work() -> bool:
            until = time_in(self._db, seconds)
            return self._change(self._leased(uuid, lease), leased_until=until)

        return self._db.write(work)

    def release(self, uuid: str, lease: str) -> None:
        """End a lease."""
        values = {"lease": None, "leased_until": None}
        self._db.write(lambda: self._change(self._leased(uuid, lease), **values))

    def end(self, uuid: str, lease: str | None = None) -> UploadRecord | None:
        """End a session, so that no process can continue it, and no blob can be
        recorded from it.

        :param lease: the lease with which it is ended; None ends it in any case.
        :return: its record, or None if it is absent, or has another lease.
        """
        columns = self._table.c
        ending = columns.uuid == uuid if lease is None else self._leased(uuid, lease)

        def work() -> UploadRecord | None:
            if not self._change(ending, is_ended=True, lease=None):
                return None
            return _record(self._db.execute(self._reading(columns.uuid == uuid)).one())

        return self._db.write(work)

    def forget(self, uuid: str) -> None:
        """Delete the record of an ended session."""
        deleting = sa.delete(self._table).where(self._table.c.uuid == uuid)
        self._db.write(lambda: self._db.change(deleting))

    @property
    def _table(self) -> sa.Table:
        return self._db.models.BucketUpload.__table__

    @property
    def _fields(self) -> list[sa.Column[t.Any]]:
        columns = self._table.c
        return [columns.uuid, columns.state, columns.length, columns.touched_at]

    def _reading(self, condition: Condition) -> sa.Select[t.Any]:
        return sa.select(*self._fields).where(condition)

    def _change(self, condition: Condition, **values: t.Any) -> bool:
        changing = sa.update(self._table).where(condition).values(**values)
        return self._db.change(changing) > 0

    def _open(self, uuid: str) -> Condition:
        columns = self._table.c
        return sa.and_(columns.uuid == uuid, columns.is_ended.is_(False))

    def _leased(self, uuid: str, lease: str) -> Condition:
        return sa.and_(self._open(uuid), self._table.c.lease == lease)


def consume(database: Database, place: Place, *, is_new: bool = True) -> None:
    """Delete the record of the session whose bytes become a blob, within the
    transaction that records the blob.

    :param is_new: whether the place comes from a session. A migration may also record
        a former place again.
    :raises BlobUploadUnknown: if the session has ended; its object is deleted.
    """
    table = database.models.BucketUpload.__table__
    is_its = table.c.location == place.location
    deleting = sa.delete(table).where(is_its, table.c.is_ended.is_(False))
    if database.change(deleting):
        return
    ended = sa.select(table.c.uuid).where(is_its)
    if is_new or database.execute(ended).first() is not None:
        raise BlobUploadUnknown


def _record(row: t.Any) -> UploadRecord:
    touched_at: datetime = as_utc(row.touched_at)
    return UploadRecord(row.uuid, row.state, row.length, touched_at.timestamp())
