"""The code of the page on monitoring, in an application."""

from __future__ import annotations

import importlib
import io
import json
import logging
import re
from dataclasses import replace
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from flask_oci.operations.metrics import Metrics
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import LAYER
from tests.operations.test_metrics import scrape_text
from tests.support.doc_blocks import application
from tests.support.doc_blocks import DOCS
from tests.support.doc_host import Host
from tests.support.doc_host import hosted
from tests.support.registry_client import RegistryClient

PAGE = (DOCS / "monitoring.rst").read_text("utf-8")


def test_health_endpoint_of_documentation_answers_anonymous_client(
    tmp_path: Path,
) -> None:
    """The answer needs no credentials and has no details."""
    with hosted(tmp_path, "Health") as host:
        response = RegistryClient(host.app).get("/healthz")
        assert response.status_code == 200
        assert response.get_json() == {
            "database": "ok",
            "space": response.get_json()["space"],
            "status": "ok",
            "storage": "ok",
            "work": "ok",
        }


def test_metrics_view_of_documentation_requires_token(tmp_path: Path) -> None:
    """Only a client with the token gets the metrics, and the page's table lists all of
    them."""
    with hosted(tmp_path, "Metrics") as host:
        metered(host)
        app = host.app
        assert RegistryClient(app).get("/metrics").status_code == 403
        assert RegistryClient(app, "Bearer wrong").get("/metrics").status_code == 403
        host.people["alice"].push_image("alice/app", "v1")
        with app.app_context():
            host.registry.collect_garbage()
        answer = RegistryClient(app, "Bearer token").get("/metrics")
        assert answer.status_code == 200
        names = {family.name for family in scrape_text(answer.text)}
    # The package adds the creation time of each counter.
    names = {name for name in names if not name.endswith("_created")}
    table = PAGE.partition("    * - Metric")[2].partition("No label is")[0]
    documented = re.findall(r"``(oci_\w+?)(?:_total)?(?:\{[\w,]+\})?``", table)
    assert sorted(documented) == sorted(names)


def metered(host: Host) -> None:
    """Apply the settings before the blueprints are registered."""
    parts = host.app.extensions["oci"]
    metrics = Metrics(parts.catalog, parts.storage)
    host.app.extensions["oci"] = replace(parts, metrics=metrics)
    host.app.config["METRICS_TOKEN"] = "token"


def test_alerts_use_documented_metrics() -> None:
    """Every metric in an alert is in the table."""
    table, _, alerts = PAGE.partition("These alerts are a good start")
    used = set(re.findall(r"\boci_\w+", alerts.partition("Several processes")[0]))
    assert used
    assert used <= set(re.findall(r"\boci_\w+", table))


def test_json_log_has_repository_and_digest_fields(tmp_path: Path) -> None:
    """A log line about a lost file has its repository and digest as fields."""
    stream, root = io.StringIO(), logging.getLogger()
    before = list(root.handlers)
    with hosted(tmp_path, "Logs") as host:
        host.file("logs").log_lines(stream)
        try:
            alice = host.people["alice"]
            digest = alice.push_blob("alice/app", LAYER)
            for path in Path(host.app.instance_path).rglob(digest.partition(":")[2]):
                path.unlink()
            alice.get(f"/v2/alice/app/blobs/{digest}")
        finally:
            root.handlers[:] = before
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    (complaint,) = [line for line in lines if line["level"] == "ERROR"]
    assert complaint["repository"] == "alice/app"
    assert complaint["digest"] == digest_of(LAYER)
    assert complaint["user"] == "alice"


def test_trace_span_has_route_and_repository(tmp_path: Path) -> None:
    """The span of a request has the route as its name, and the repository."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    with application(tmp_path, "Traces") as app:
        importlib.import_module("forge.tracing").instrument(app)
        client = RegistryClient(app)
        client.get("/v2/alice/app/manifests/latest")
        client.get("/v2/alice/other/manifests/latest")
    spans = exporter.get_finished_spans()
    assert {span.name for span in spans} == {
        "GET /v2/<oci_name:name>/manifests/<reference>"
    }
    seen = [span.attributes["oci.repository"] for span in spans if span.attributes]
    assert seen == ["alice/app", "alice/other"]
