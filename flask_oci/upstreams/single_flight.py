"""Single flight: one request to an upstream for many clients, over all processes."""

from __future__ import annotations

import threading
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

if t.TYPE_CHECKING:
    from ..catalog import Catalog

#: How long a lease lasts if its process is killed, in seconds.
LEASE: t.Final = 30

#: The pause between two looks at the lease of another process, in seconds.
PAUSE: t.Final = 0.1


class SingleFlight:
    """Elects the request that asks the upstream.

    :param catalog: the leases, which all processes share.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._running: dict[tuple[str, str], threading.Event] = {}

    @contextmanager
    def lead(self, name: str, reference: str, wait: float) -> Iterator[bool]:
        """Yield True to one request, and False to the others when it has ended.

        :param name: the name of the repository.
        :param reference: a tag or a digest.
        :param wait: the time that the others wait for its end, in seconds.
        """
        key = (name, reference)
        with self._lock:
            running = self._running.get(key)
            if running is None:
                mine = self._running[key] = threading.Event()
        if running is not None:
            running.wait(wait)
            yield False
            return
        try:
            lease = self._lease(name, reference, wait)
            try:
                yield lease is not None
            finally:
                if lease is not None:
                    self._catalog.upstreams.leases.end(name, reference, lease)
        finally:
            with self._lock:
                del self._running[key]
            mine.set()

    def _lease(self, name: str, reference: str, wait: float) -> str | None:
        """Return the lease, or None when another process has ended its own."""
        leases, until = self._catalog.upstreams.leases, time.monotonic() + wait
        lease = leases.take(name, reference, LEASE)
        while lease is None and time.monotonic() < until:
            time.sleep(PAUSE)
            if leases.current(name, reference) is None:
                return leases.take(name, reference, LEASE)
            self._catalog.release()
        return lease
