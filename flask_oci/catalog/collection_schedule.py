"""The schedule of the collection: the repositories that it has to visit, and when.

Each transaction that may change the content of a repository marks it. When the
collection has visited a repository, it replaces the mark by the time at which the
passage of time alone makes more content unneeded: the end of a lease, of the lifetime
of an untagged manifest, of the undo period or of the history.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from datetime import timezone

import sqlalchemy as sa

from ..clock import as_utc
from ..clock import utcnow
from . import deleted_manifests
from . import owner_usage
from . import reachability
from . import references
from .database import Condition
from .database import Database
from .jobs import COLLECTION
from .repository_info import RepositoryInfo
from .repository_statements import RepositoryStatements

#: How many repositories are read or changed by one statement.
BATCH_SIZE: t.Final = 500

#: The time of the next visit if nothing will become unneeded without a change.
NEVER: t.Final = datetime(9999, 1, 1, tzinfo=timezone.utc)

#: When to visit a repository without content again. An upload to it may be running.
EMPTY_INTERVAL: t.Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long unneeded content is kept."""

    leases: timedelta
    """Content that a client was told exists."""

    untagged: timedelta | None
    """Untagged manifests; None keeps them forever."""

    undo: timedelta | None
    """Content that can be restored; None if nothing can be restored."""

    history: timedelta
    """The moves of tags."""

    moves: int
    """The maximum number of older moves in a repository."""

    def text(self) -> str:
        """Return a text that changes with the values."""
        spans = (self.leases, self.untagged, self.undo, self.history)
        seconds = ("-" if s is None else f"{s.total_seconds():.0f}" for s in spans)
        return " ".join((*seconds, str(self.moves)))


class CollectionSchedule:
    """Lists the repositories that the collection has to visit."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._statements = RepositoryStatements(database.models)

    def due(self) -> Condition:
        """Return the condition for the repositories to visit now."""
        table = self._db.models.Repository.__table__
        return sa.or_(table.c.collect_at.is_(None), table.c.collect_at <= utcnow())

    def has_repositories(self) -> bool:
        """Return True if there is any repository."""
        Repository = self._db.models.Repository
        return self._db.execute(sa.select(Repository.id).limit(1)).first() is not None

    def count(self, *, every: bool = False) -> int:
        """Return the number of repositories to visit.

        :param every: whether to count all repositories.
        """
        statement = sa.select(sa.func.count(self._db.models.Repository.id))
        statement = statement if every else statement.where(self.due())
        return self._db.session.scalar(statement) or 0

    def repositories(self, *, every: bool = False) -> t.Iterator[RepositoryInfo]:
        """Yield the repositories to visit, ordered by their keys.

        :param every: whether to yield all repositories.
        """
        table = self._db.models.Repository.__table__
        last = 0
        while True:
            statement = (
                self._statements.select()
                .where(table.c.id > last)
                .order_by(table.c.id)
                .limit(BATCH_SIZE)
            )
            if not every:
                statement = statement.where(self.due())
            rows = self._db.execute(statement).all()
            self._db.release()
            yield from (RepositoryInfo(*row) for row in rows)
            if len(rows) < BATCH_SIZE:
                return
            last = rows[-1].id

    def is_for(self, lifetimes: Lifetimes) -> bool:
        """Return True if the schedule was made with these lifetimes."""
        Job = self._db.models.Job
        statement = sa.select(Job.settings).where(Job.name == COLLECTION)
        return self._db.session.scalar(statement) == lifetimes.text()

    def begin(self, lifetimes: Lifetimes) -> None:
        """Have all repositories visited if the lifetimes have changed, because the
        times of the next visits depend on them."""
        if self.is_for(lifetimes):
            return
        self._mark_all()
        self._db.write(
            lambda: self._db.upsert(
                self._db.models.Job, {"name": COLLECTION}, settings=lifetimes.text()
            )
        )

    def _mark_all(self) -> None:
        table = self._db.models.Repository.__table__
        visited = (
            sa.select(table.c.id)
            .where(table.c.collect_at.is_not(None))
            .order_by(table.c.id)
            .limit(BATCH_SIZE)
        )
        while keys := list(self._db.execute(visited).scalars()):

            def work(keys: list[int] = keys) -> None:
                in_order = sa.select(table.c.id).where(table.c.id.in_(keys))
                self._db.execute(in_order.order_by(table.c.id).with_for_update())
                self._db.execute(
                    sa.update(table).where(table.c.id.in_(keys)).values(collect_at=None)
                )

            self._db.write(work)
        self._db.release()

    def settle(self, repository: RepositoryInfo, lifetimes: Lifetimes) -> None:
        """Record when to visit a repository again, after a visit.

        If the visit has left unneeded content, for example because it failed, the
        repository stays due.
        """
        table = self._db.models.Repository.__table__
        same = sa.and_(
            table.c.id == repository.key,
            table.c.owner_id.is_not_distinct_from(repository.owner_id),
        )

        def work() -> None:
            # Every change of the content needs the same lock. The time is therefore
            # right, and no mark is lost.
            self._db.lock_repository(repository.key, changes=False)
            following = self._next_visit(repository.key, lifetimes)
            settling = sa.update(table).where(same).values(collect_at=following)
            if self._db.change(settling):
                owner_usage.begin(self._db, repository.owner_id)

        self._db.write(work, users=lambda: [repository.owner_id])

    def count_owners(self) -> None:
        """Count the blobs of the owners whose repositories have changed."""
        for owner_id in owner_usage.expired(self._db):
            owner_usage.record(self._db, owner_id)

    def _next_visit(self, repository_id: int, lifetimes: Lifetimes) -> datetime | None:
        now = utcnow()
        times = [
            *self._ends_of_leases(repository_id, lifetimes),
            *self._ends_of_manifests(repository_id, lifetimes, now),
            *self._ends_of_records(repository_id, lifetimes),
        ]
        if self._is_empty(repository_id):
            times.append(now + EMPTY_INTERVAL)
        following = min(times, default=NEVER)
        return None if following <= now else following

    def _ends_of_leases(
        self, repository_id: int, lifetimes: Lifetimes
    ) -> t.Iterator[datetime]:
        Blob, Link = self._db.models.Blob, self._db.models.RepositoryBlob
        first = self._db.session.scalar(
            sa.select(sa.func.min(Link.leased_at))
            .join(Blob, Blob.id == Link.blob_id)
            .where(
                Link.repository_id == repository_id,
                ~references.needing(self._db, repository_id, Blob.digest),
                ~deleted_manifests.needing(self._db, repository_id, Blob.digest),
            )
        )
        if first is not None:
            yield as_utc(first) + lifetimes.leases

    def _ends_of_manifests(
        self, repository_id: int, lifetimes: Lifetimes, now: datetime
    ) -> t.Iterator[datetime]:
        if lifetimes.untagged is None:
            return
        kept = max(lifetimes.untagged, lifetimes.leases)
        undo = lifetimes.undo
        since = None if undo is None else now - undo
        known = reachability.read(self._db, repository_id, since)
        if known.unneeded(now - kept):
            yield now
        for node in known.loose():
            ends = [node.touched_at + kept]
            if undo is not None and node.digest in known.left:
                ends.append(known.left[node.digest] + undo)
            # A manifest that is older is kept by another one that has a time.
            if (end := max(ends)) > now:
                yield end

    def _ends_of_records(
        self, repository_id: int, lifetimes: Lifetimes
    ) -> t.Iterator[datetime]:
        Deleted, Move = self._db.models.DeletedManifest, self._db.models.TagMove
        deleted = sa.select(sa.func.min(Deleted.deleted_at)).where(
            Deleted.repository_id == repository_id
        )
        moves = sa.select(sa.func.min(Move.moved_at), sa.func.count(Move.id)).where(
            Move.repository_id == repository_id
        )
        undo = lifetimes.undo or timedelta()
        if (first := self._db.session.scalar(deleted)) is not None:
            yield as_utc(first) + undo
        oldest, count = self._db.session.execute(moves).one()
        if oldest is not None:
            is_full = count > lifetimes.moves
            yield as_utc(oldest) + (undo if is_full else max(undo, lifetimes.history))

    def _is_empty(self, repository_id: int) -> bool:
        models = self._db.models
        content = (models.Manifest, models.RepositoryBlob)
        found = (sa.exists().where(m.repository_id == repository_id) for m in content)
        return not self._db.session.scalar(sa.select(sa.or_(*found)))
