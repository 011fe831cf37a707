"""Activity of upstreams: counts for metrics, rate limits and failures."""

from __future__ import annotations

import logging
import threading
import time
import typing as t
from collections import Counter

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..operations.metrics import Metrics
    from .client import RateLimit
    from .failures import UpstreamFailed

logger = logging.getLogger("flask_oci.upstreams")

#: The events that are counted.
HIT: t.Final = "hit"
MISS: t.Final = "miss"
STALE: t.Final = "stale"

#: The time in seconds after which an unchanged state is recorded again.
_INTERVAL: t.Final = 60.0


class Activity:
    """Counts what happens at each upstream, and records its state.

    :param catalog: where the state is recorded, for other processes.
    :param metrics: the metrics of the application, or None.
    """

    def __init__(self, catalog: Catalog, metrics: Metrics | None) -> None:
        self._catalog = catalog
        self._metrics = metrics
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}
        self._limits: dict[str, RateLimit] = {}
        self._failing: dict[str, str] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        """The number of events by namespace and event, in this process."""

    def count(self, namespace: str, event: str) -> None:
        """Count a hit, a miss, or content that is served stale."""
        with self._lock:
            self.counts[namespace, event] += 1
        if self._metrics is not None:
            self._metrics.count_upstream(namespace, event)

    def add_bytes(self, namespace: str, size: int) -> None:
        """Count bytes of blobs that were fetched."""
        if self._metrics is not None:
            self._metrics.add_upstream_bytes(namespace, size)

    def limit(self, namespace: str, found: RateLimit) -> None:
        """Note the rate limit of an answer, which :meth:`answered` records."""
        with self._lock:
            self._limits[namespace] = found
        if self._metrics is not None:
            self._metrics.set_upstream_limit(namespace, found.remaining)

    def answered(self, namespace: str) -> None:
        """Record that an upstream answers, at most once a minute."""
        with self._lock:
            now = time.monotonic()
            if self._due.get(namespace, now) > now:
                return
            self._due[namespace] = now + _INTERVAL
            self._failing.pop(namespace, None)
            limit = self._limits.get(namespace)
        self._catalog.upstreams.states.answered(
            namespace, limit and limit.limit, limit and limit.remaining
        )

    def failed(self, namespace: str, failure: UpstreamFailed) -> None:
        """Record and log a failure, once until the upstream answers again."""
        self.count(namespace, failure.kind)
        with self._lock:
            if self._failing.get(namespace) == failure.kind:
                return
            self._failing[namespace] = failure.kind
            self._due.pop(namespace, None)
        logger.warning("The upstream %s fails: %s", namespace, failure.reason)
        self._catalog.upstreams.states.failed(namespace, failure.reason)
