"""Metrics for Prometheus.

What happens is counted where it happens, in each process. What is stored, and what
waits, is asked of the database when somebody wants to know. No label has a value that a
client can make up.
"""

from __future__ import annotations

import time
import typing as t

from flask import request

from ..changes import COLLECTED
from ..config import REST
from ..events.request_state import request_state

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

    from flask.wrappers import Response
    from prometheus_client import CollectorRegistry
    from prometheus_client import Metric

    from ..catalog import Catalog
    from ..storage import Storage

#: In seconds. A push takes as long as the client's line.
BUCKETS: t.Final = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    60,
    300,
)

METHODS: t.Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


class Missing(RuntimeError):
    """The package that metrics need is not installed, or they are not switched on."""


class Metrics:
    """Counts what happens to one application's registry.

    :raises Missing: when prometheus-client is not installed.
    """

    def __init__(self, catalog: Catalog, storage: Storage) -> None:
        try:
            import prometheus_client as prometheus
        except ImportError:
            raise Missing(
                "OCI_METRICS needs prometheus-client: pip install flask-oci[metrics]"
            ) from None
        self._state = State(catalog, storage)
        self._own = prometheus.CollectorRegistry()
        self._requests = prometheus.Counter(
            "oci_requests",
            "Requests that were answered.",
            ("route", "method", "status"),
            registry=self._own,
        )
        self._seconds = prometheus.Histogram(
            "oci_request_seconds",
            "How long it took until the answer began.",
            ("route", "method"),
            buckets=BUCKETS,
            registry=self._own,
        )
        self._received = prometheus.Counter(
            "oci_received_bytes", "Bytes of bodies of pushes.", registry=self._own
        )
        self._sent = prometheus.Counter(
            "oci_sent_bytes", "Bytes of content in answers.", registry=self._own
        )
        self._pushes = prometheus.Counter(
            "oci_pushes", "What was pushed.", ("kind",), registry=self._own
        )
        self._pulls = prometheus.Counter(
            "oci_pulls", "What was pulled.", ("kind",), registry=self._own
        )

    def begin(self) -> None:
        """Remember that a request begins."""
        state = request_state()
        state.started, state.received = time.perf_counter(), 0

    def end(self, response: Response) -> None:
        """Count a request that is being answered."""
        route = _route()
        method = request.method if request.method in METHODS else "other"
        self._requests.labels(route, method, str(response.status_code)).inc()
        state = request_state()
        if state.started is not None:
            taken = time.perf_counter() - state.started
            self._seconds.labels(route, method).observe(taken)
            self._received.inc(state.received)
        if method != "HEAD" and response.status_code in (200, 206):
            self._sent.inc(response.content_length or 0)
        pushed = PUSHES.get((route, response.status_code))
        if pushed is not None:
            mounted = route == "uploads" and "mount" in request.args
            self._pushes.labels("mount" if mounted else pushed).inc()
        if method == "GET" and route in PULLS and response.status_code in (200, 206):
            self._pulls.labels(route).inc()

    def text(self) -> tuple[bytes, str]:
        """Return all metrics in Prometheus' format, and its content type.

        Where several processes share a folder, as ``PROMETHEUS_MULTIPROC_DIR`` has it,
        what all of them have counted is added up.
        """
        from prometheus_client import CollectorRegistry
        from prometheus_client import CONTENT_TYPE_LATEST
        from prometheus_client import generate_latest
        from prometheus_client import multiprocess

        gathered = CollectorRegistry()
        try:
            _multiprocess(multiprocess)(gathered)
        except ValueError:
            gathered.register(self._own)
        gathered.register(self._state)
        return generate_latest(gathered), CONTENT_TYPE_LATEST


def _route() -> str:
    """Return what the current address is called, for REST with ``rest.`` before it."""
    blueprint, _, name = str(request.endpoint).rpartition(".")
    return f"rest.{name}" if blueprint.endswith(REST) else name


#: What an answer of a status means on a route.
PUSHES: t.Final = {
    ("manifest_put", 201): "manifest",
    ("upload_finish", 201): "blob",
    ("uploads", 201): "blob",
}
PULLS: t.Final = frozenset({"manifest", "blob"})


class State:
    """What is so at the moment that somebody asks."""

    def __init__(self, catalog: Catalog, storage: Storage) -> None:
        self._catalog = catalog
        self._storage = storage

    def collect(self) -> Iterator[Metric]:
        """Ask the database and the storage."""
        from prometheus_client.core import GaugeMetricFamily as Gauge

        totals = self._catalog.usage.totals()
        yield Gauge("oci_repositories", "Repositories.", totals.repositories)
        yield Gauge("oci_blobs", "Blobs that are stored.", totals.blobs)
        yield Gauge("oci_storage_bytes", "Bytes of all blobs.", totals.bytes)
        free = self._storage.free()
        if free is not None:
            yield Gauge("oci_storage_free_bytes", "For how many there is room.", free)
        sessions = self._catalog.usage.sessions()
        yield Gauge("oci_uploads", "Upload sessions that have begun.", sessions)
        events = Gauge("oci_deliveries", "Deliveries to webhooks.", labels=["state"])
        counts = self._catalog.delivery_log.counts()
        for state in ("unassigned", "pending", "dead"):
            events.add_metric([state], counts[state])
        yield events
        yield from self._last_collection()
        self._catalog.release()

    def _last_collection(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily as Gauge

        for event in self._catalog.outbox.latest(1, kind=COLLECTED):
            yield Gauge(
                "oci_collection_timestamp_seconds",
                "When the last collection ended, in seconds after 1970.",
                event.at.timestamp(),
            )
            yield Gauge(
                "oci_collection_freed_bytes",
                "How many bytes the last collection freed.",
                event.data["detail"]["freed"],
            )


def _multiprocess(module: t.Any) -> Callable[[CollectorRegistry], object]:
    return t.cast("Callable[[CollectorRegistry], object]", module.MultiProcessCollector)
