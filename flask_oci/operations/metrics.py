"""Metrics for Prometheus.

Requests are counted in each process. Stored content and waiting deliveries are queried
when the metrics are read. No label has a value that a client can choose.
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

#: The bounds of the histogram in seconds. The duration of a push depends on the
#: client's connection.
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
    """The prometheus-client package is not installed, or metrics are not enabled."""


class Metrics:
    """Counts the requests of one application's registry.

    :raises Missing: if prometheus-client is not installed.
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
            "Seconds until the response began.",
            ("route", "method"),
            buckets=BUCKETS,
            registry=self._own,
        )
        self._received = prometheus.Counter(
            "oci_received_bytes",
            "Bytes of received bodies.",
            registry=self._own,
        )
        self._sent = prometheus.Counter(
            "oci_sent_bytes", "Bytes of content that were sent.", registry=self._own
        )
        self._pushes = prometheus.Counter(
            "oci_pushes",
            "Pushed blobs and manifests.",
            ("kind",),
            registry=self._own,
        )
        self._pulls = prometheus.Counter(
            "oci_pulls", "Pulled blobs and manifests.", ("kind",), registry=self._own
        )

        self._upstream_events = prometheus.Counter(
            "oci_upstream_events",
            "Hits, misses, stale answers and failures of upstreams.",
            ("upstream", "event"),
            registry=self._own,
        )
        self._upstream_bytes = prometheus.Counter(
            "oci_upstream_bytes",
            "Bytes of blobs that were fetched from upstreams.",
            ("upstream",),
            registry=self._own,
        )
        self._upstream_limit = prometheus.Gauge(
            "oci_upstream_remaining_requests",
            "Requests that the rate limit of an upstream leaves.",
            ("upstream",),
            registry=self._own,
            multiprocess_mode="mostrecent",
        )

    def count_upstream(self, namespace: str, event: str) -> None:
        """Count an event of an upstream.

        :param namespace: the namespace of the upstream.
        :param event: ``hit``, ``miss``, ``stale`` or the kind of a failure.
        """
        self._upstream_events.labels(namespace, event).inc()

    def add_upstream_bytes(self, namespace: str, size: int) -> None:
        """Count bytes of blobs that were fetched from an upstream."""
        self._upstream_bytes.labels(namespace).inc(size)

    def set_upstream_limit(self, namespace: str, remaining: str | None) -> None:
        """Set the requests that a rate limit leaves.

        :param remaining: the value of the header, such as ``98;w=21600``.
        """
        number = (remaining or "").partition(";")[0]
        if number.isdecimal() and len(number) < 10:
            self._upstream_limit.labels(namespace).set(int(number))

    def begin(self) -> None:
        """Start measuring a request."""
        state = request_state()
        state.started, state.received = time.perf_counter(), 0

    def end(self, response: Response) -> None:
        """Count a request whose response is ready."""
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
        """Return all metrics in the format of Prometheus, and their content type.

        If several processes share the folder ``PROMETHEUS_MULTIPROC_DIR``, their counts
        are added up.
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
    """Return the name of the current endpoint, with the prefix ``rest.`` for the REST
    API."""
    blueprint, _, name = str(request.endpoint).rpartition(".")
    return f"rest.{name}" if blueprint.endswith(REST) else name


#: The kind of content that was pushed, by route and status.
PUSHES: t.Final = {
    ("manifest_put", 201): "manifest",
    ("upload_finish", 201): "blob",
    ("uploads", 201): "blob",
}
PULLS: t.Final = frozenset({"manifest", "blob"})


class State:
    """Metrics that are queried when they are read."""

    def __init__(self, catalog: Catalog, storage: Storage) -> None:
        self._catalog = catalog
        self._storage = storage

    def collect(self) -> Iterator[Metric]:
        """Query the database and the storage."""
        from prometheus_client.core import GaugeMetricFamily as Gauge

        totals = self._catalog.usage.totals()
        yield Gauge("oci_repositories", "Repositories.", totals.repositories)
        yield Gauge("oci_blobs", "Stored blobs.", totals.blobs)
        yield Gauge("oci_storage_bytes", "Bytes of all stored blobs.", totals.bytes)
        free = self._storage.free()
        if free is not None:
            yield Gauge("oci_storage_free_bytes", "Bytes of free disk space.", free)
        reserve = self._storage.reserve()
        if reserve is not None:
            yield Gauge(
                "oci_storage_reserve_bytes",
                "Bytes of free disk space below which pushes are refused.",
                reserve,
            )
        sessions = self._catalog.usage.sessions()
        yield Gauge("oci_uploads", "Unfinished upload sessions.", sessions)
        events = Gauge("oci_deliveries", "Deliveries to webhooks.", labels=["state"])
        counts = self._catalog.delivery_log.counts()
        for state in ("unassigned", "pending", "dead"):
            events.add_metric([state], counts[state])
        yield events
        yield from self._last_collection()
        yield from self._jobs()
        self._catalog.release()

    def _last_collection(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily as Gauge

        for event in self._catalog.outbox.latest(1, kind=COLLECTED):
            yield Gauge(
                "oci_collection_timestamp_seconds",
                "End of the last garbage collection, in seconds since 1970.",
                event.at.timestamp(),
            )
            yield Gauge(
                "oci_collection_freed_bytes",
                "Bytes that the last garbage collection freed.",
                event.data["detail"]["freed"],
            )

    def _jobs(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily as Gauge

        completed = Gauge(
            "oci_job_completed_timestamp_seconds",
            "End of the last complete run of a background job, in seconds since 1970.",
            labels=["job"],
        )
        failing = Gauge(
            "oci_job_failed",
            "1 if the last run of a background job, or an item of it, failed.",
            labels=["job"],
        )
        states = self._catalog.jobs.overview().states
        for name, state in states.items():
            if state.completed_at is not None:
                completed.add_metric([name], state.completed_at.timestamp())
            failing.add_metric([name], float(state.failure is not None))
        yield completed
        yield failing


def _multiprocess(module: t.Any) -> Callable[[CollectorRegistry], object]:
    return t.cast("Callable[[CollectorRegistry], object]", module.MultiProcessCollector)
