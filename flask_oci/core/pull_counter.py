"""Pull counts and times, collected in this process and written to the database from
time to time, together with the sizes of repositories after pushes.

A pull must not cost a write, nor fail because of one. Pulls are therefore collected in
memory, and written together after a response has been sent.
"""

from __future__ import annotations

import atexit
import typing as t
import weakref
from collections import Counter
from collections import OrderedDict
from datetime import date
from datetime import datetime
from datetime import timedelta
from threading import Lock

from ..clock import utcnow

if t.TYPE_CHECKING:
    from flask.sansio.app import App
    from werkzeug.wrappers import Response

    from ..catalog.pulls import Pulls as PullRecords

#: A manifest's time of last pull is written again only after this time.
REFRESH_INTERVAL: t.Final = timedelta(hours=1)

#: The time between two writes of counts, and before a failed write is tried again.
WRITE_INTERVAL: t.Final = timedelta(minutes=1)

#: The number of manifests, and of repositories, that are kept in memory.
MAX_ENTRIES: t.Final = 10_000


class Pulls:
    """Pulls and pushes that this process has seen. It is safe to use from any number of
    threads.

    :param records: the table that they are written to.
    """

    def __init__(self, records: PullRecords) -> None:
        self._records = records
        self._lock = Lock()
        self._known: OrderedDict[tuple[int, str], datetime] = OrderedDict()
        self._counts: Counter[tuple[int, date]] = Counter()
        self._times: dict[tuple[int, str], datetime] = {}
        self._counts_due = utcnow() + WRITE_INTERVAL
        self._times_due = utcnow()

    def count(self, repository_id: int, digest: str, *, pulls: int = 1) -> bool:
        """Count a pull of a manifest, and record its time.

        :param pulls: 0 records only the time, for a use without a transfer.
        :return: True if :meth:`write` should be called after the response has been
            sent.
        """
        key, now = (repository_id, digest), utcnow()
        with self._lock:
            known = self._known.get(key)
            is_new = known is None or now - known >= REFRESH_INTERVAL
            if pulls or is_new:
                # A count of 0 has the write lock the repository before the manifest.
                self._counts[repository_id, now.date()] += pulls
            if is_new:
                self._known[key] = self._times[key] = now
                self._known.move_to_end(key)
            while len(self._known) > MAX_ENTRIES:
                self._known.popitem(last=False)
            if self._times:
                return now >= self._times_due
            return now >= self._counts_due

    def is_due(self) -> bool:
        """Return True if :meth:`write` should be called, because a repository was
        pushed to."""
        return bool(self._records.recent_pushes) and utcnow() >= self._counts_due

    def write_after(self, current_app: t.Any, response: Response) -> None:
        """Call :meth:`write` after a response has been sent, and log a failure.

        :param current_app: Flask's proxy of the application.
        """
        app = current_app._get_current_object()

        def write() -> None:
            # The request's connection has been returned.
            try:
                with app.app_context():
                    self.write()
            except Exception:
                app.logger.warning(
                    "Writing pull counts failed; it will be tried again.",
                    exc_info=True,
                )

        response.call_on_close(write)

    def write(self) -> None:
        """Write the collected pulls to the database, and the sizes of the repositories
        that were pushed to. If that fails, they are kept for
        later.

        :raises Exception: the error of the database. The caller must not fail a pull
            because of it.
        """
        with self._lock:
            counts, self._counts = self._counts, Counter()
            times, self._times = self._times, {}
            self._counts_due = utcnow() + WRITE_INTERVAL
        pushed = self._records.recent_pushes.take()
        if not counts and not pushed:
            return
        try:
            self._records.record(counts, times, pushed)
        except Exception:
            self._restore(counts, times)
            self._records.recent_pushes.add(*pushed)
            raise

    def write_at_exit(self, app: App) -> None:
        """Write the collected pulls when the process exits normally."""
        reference = weakref.ref(app)

        def write_waiting() -> None:
            current = t.cast(t.Any, reference())
            has_pulls = bool(self._counts)
            if current is None or not (has_pulls or self._records.recent_pushes):
                return
            try:
                with current.app_context():
                    self.write()
            except Exception as error:
                # Often the database server was stopped before this process. The
                # collection measures the repositories that were pushed to.
                if has_pulls:
                    current.logger.warning("The last pulls were not counted: %s", error)

        atexit.register(write_waiting)

    def _restore(
        self, counts: Counter[tuple[int, date]], times: dict[tuple[int, str], datetime]
    ) -> None:
        with self._lock:
            self._times_due = self._counts_due = utcnow() + WRITE_INTERVAL
            # The times that were collected meanwhile are newer.
            self._times = {**times, **self._times}
            self._counts.update(counts)
            if max(len(self._times), len(self._counts)) > MAX_ENTRIES:
                # The database has been unavailable for long. Losing counts is better
                # than unlimited memory.
                self._times, self._counts = {}, Counter()
