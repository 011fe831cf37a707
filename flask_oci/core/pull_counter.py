"""Pulls, gathered in this process and written down now and then.

A pull must not cost a write, nor fail because of one. So what is known of it waits
here, and is written after an answer has been sent, by itself and all at once.
"""

from __future__ import annotations

import atexit
import typing as t
import weakref
from collections import Counter
from collections import OrderedDict
from datetime import datetime
from datetime import timedelta
from threading import Lock

from ..clock import utcnow

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..catalog.pulls import Pulls as PullRecords

#: How old the moment on record has to be before it is written anew.
FRESH: t.Final = timedelta(hours=1)

#: How long counts, and what could not be written, wait.
PATIENCE: t.Final = timedelta(minutes=1)

#: How many manifests, and repositories, are remembered.
MOST: t.Final = 10_000


class Pulls:
    """What this process knows of pulls, for any number of threads.

    :param records: where they are written down.
    """

    def __init__(self, records: PullRecords) -> None:
        self._records = records
        self._lock = Lock()
        self._known: OrderedDict[tuple[int, str], datetime] = OrderedDict()
        self._counts: Counter[int] = Counter()
        self._moments: dict[tuple[int, str], datetime] = {}
        self._counts_due = utcnow() + PATIENCE
        self._moments_due = utcnow()

    def note(self, repository_id: int, digest: str) -> bool:
        """Remember that a manifest is being pulled.

        :return: whether to call :meth:`write` once it has been sent.
        """
        key, now = (repository_id, digest), utcnow()
        with self._lock:
            self._counts[repository_id] += 1
            known = self._known.get(key)
            if known is None or now - known >= FRESH:
                self._known[key] = self._moments[key] = now
                self._known.move_to_end(key)
            while len(self._known) > MOST:
                self._known.popitem(last=False)
            if self._moments:
                return now >= self._moments_due
            return now >= self._counts_due

    def write(self) -> None:
        """Write down what waits, and keep it for later where that fails.

        :raises Exception: whatever the database says; nobody's pull depends on it.
        """
        with self._lock:
            counts, self._counts = self._counts, Counter()
            moments, self._moments = self._moments, {}
            self._counts_due = utcnow() + PATIENCE
        if not counts:
            return
        try:
            self._records.record(counts, moments)
        except Exception:
            self._keep(counts, moments)
            raise

    def write_at_exit(self, app: App) -> None:
        """Have what waits written when the process ends, if it ends in peace."""
        reference = weakref.ref(app)

        def leave() -> None:
            ending = t.cast(t.Any, reference())
            if ending is not None and self._counts:
                with ending.app_context():
                    self.write()

        atexit.register(leave)

    def _keep(
        self, counts: Counter[int], moments: dict[tuple[int, str], datetime]
    ) -> None:
        with self._lock:
            self._moments_due = self._counts_due = utcnow() + PATIENCE
            # What was noted meanwhile is newer.
            self._moments = {**moments, **self._moments}
            self._counts += counts
            if max(len(self._moments), len(self._counts)) > MOST:
                # A database that has been away for so long may as well not know.
                self._moments, self._counts = {}, Counter()
