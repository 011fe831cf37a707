"""Metrics for Prometheus."""

from __future__ import annotations

import builtins
import json
import typing as t

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from flask_oci.clock import utcnow
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import LAYER
from flask_oci.v2.blueprint import ROUTES
from tests.conftest import MakeApp
from tests.support.host import registry
from tests.support.registry_client import NO_SESSION
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep

NAME = "alice/app"
Labels = tuple[tuple[str, str], ...]

pytestmark = pytest.mark.options(oci_metrics=True)


def scrape(app: Flask) -> dict[tuple[str, Labels], float]:
    """Return every sample, by its name and its labels."""
    with app.test_request_context():
        response = registry.metrics()
    assert response.content_type.startswith("text/plain; version=")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in scrape_text(response.get_data(as_text=True))
        for sample in family.samples
    }


def scrape_text(text: str) -> list[t.Any]:
    """Return the metrics that an answer has."""
    return list(text_string_to_metric_families(text))


def value(app: Flask, name: str, **labels: str) -> float:
    """Return one sample, which is zero where there is none."""
    return scrape(app).get((name, tuple(sorted(labels.items()))), 0)


def test_requests_are_counted(app: Flask, alice: RegistryClient) -> None:
    """They are counted by route, method and status, with how long they took."""
    alice.push_image(NAME, "latest")
    for _ in range(3):
        alice.get(f"/v2/{NAME}/manifests/latest")
    alice.get(f"/v2/{NAME}/manifests/missing")
    RegistryClient(app).get("/v2/")
    found = scrape(app)

    def requests(route: str, method: str, status: str) -> float:
        labels = (("method", method), ("route", route), ("status", status))
        return found["oci_requests_total", labels]

    assert requests("manifest", "GET", "200") == 3
    assert requests("manifest", "GET", "404") == 1
    assert requests("manifest_put", "PUT", "201") == 1
    assert requests("uploads", "POST", "201") == 2
    assert requests("support", "GET", "401") == 1
    labels = (("method", "GET"), ("route", "manifest"))
    assert found["oci_request_seconds_count", labels] == 4
    assert found["oci_request_seconds_sum", labels] > 0


def test_rest_requests_have_their_own_routes(app: Flask, alice: RegistryClient) -> None:
    """Requests to the REST API are counted separately, although endpoints have the same
    names."""
    alice.push_image(NAME, "latest")
    alice.get(f"/v2/{NAME}/tags/list")
    alice.get(f"/api/oci/v1/repositories/{NAME}/-/tags")
    alice.get("/api/oci/v1/nowhere")
    counted = {"method": "GET", "status": "200"}
    assert value(app, "oci_requests_total", route="tags", **counted) == 1
    assert value(app, "oci_requests_total", route="rest.tags", **counted) == 1
    lost = {"method": "GET", "status": "404", "route": "rest.unknown"}
    assert value(app, "oci_requests_total", **lost) == 1
    seconds = value(app, "oci_request_seconds_sum", method="GET", route="rest.tags")
    assert seconds > 0


def test_pushes_pulls_and_bytes_are_counted(app: Flask, alice: RegistryClient) -> None:
    """Pushes and pulls are counted by kind, and their bytes are added up."""
    manifest = alice.push_image(NAME, "latest")
    location = alice.start_upload(NAME)
    alice.patch(location, b"streamed", chunked=True)
    alice.put(f"{location}?digest={digest_of(b'streamed')}")
    query = {"mount": digest_of(LAYER), "from": NAME}
    alice.post("/v2/alice/other/blobs/uploads/", query=query)
    alice.get(f"/v2/{NAME}/manifests/latest")
    alice.head(f"/v2/{NAME}/manifests/latest")
    alice.get(f"/v2/{NAME}/blobs/{digest_of(LAYER)}")
    alice.get(f"/v2/{NAME}/blobs/{digest_of(LAYER)}", headers={"Range": "bytes=0-1"})
    received = len(manifest) + len(CONFIG) + len(LAYER) + len(b"streamed")
    assert value(app, "oci_received_bytes_total") == received
    assert value(app, "oci_sent_bytes_total") == len(manifest) + len(LAYER) + 2
    for kind, count in (("manifest", 1), ("blob", 3), ("mount", 1)):
        assert value(app, "oci_pushes_total", kind=kind) == count
    for kind, count in (("manifest", 1), ("blob", 2)):
        assert value(app, "oci_pulls_total", kind=kind) == count


def test_stored_content_is_queried(app: Flask, alice: RegistryClient) -> None:
    """Stored content and uploads are queried when the metrics are read."""
    alice.push_image(NAME, "latest")
    alice.push_image("alice/other", "latest")
    alice.start_upload(NAME)
    assert value(app, "oci_repositories") == 2
    assert value(app, "oci_blobs") == 2
    assert value(app, "oci_storage_bytes") == len(CONFIG) + len(LAYER)
    assert value(app, "oci_storage_free_bytes") > 0
    assert value(app, "oci_uploads") == 1


@pytest.mark.options(oci_webhook_attempts=1)
def test_deliveries_are_counted_by_state(app: Flask, alice: RegistryClient) -> None:
    """Waiting deliveries to webhooks, and those that were given up, are counted."""
    alice.push_image(NAME, "one")
    assert value(app, "oci_deliveries", state="unassigned") == 0
    with app.app_context():
        registry.events.add_webhook("http://localhost/", kinds=["tag.*"])
    alice.push_image(NAME, "two")
    alice.push_image(NAME, "three")
    assert value(app, "oci_deliveries", state="unassigned") > 0
    with app.app_context():
        registry.events.deliver()
    assert value(app, "oci_deliveries", state="unassigned") == 0
    # The receiver does not answer, so the second delivery waits.
    assert value(app, "oci_deliveries", state="pending") == 1
    assert value(app, "oci_deliveries", state="dead") == 1


def test_last_collection_is_known_to_all_processes(
    app: Flask, alice: RegistryClient
) -> None:
    """When it was, and what it freed, is known in every process."""
    assert ("oci_collection_freed_bytes", ()) not in scrape(app)
    alice.push_blob(NAME, b"garbage")
    with later(LONG):
        Upkeep(app).gc()
        now = utcnow().timestamp()
        assert value(app, "oci_collection_freed_bytes") == len(b"garbage")
        assert value(app, "oci_collection_timestamp_seconds") == pytest.approx(
            now, abs=1
        )


def test_labels_do_not_depend_on_clients(app: Flask, alice: RegistryClient) -> None:
    """However many names, tags, methods and addresses are asked for, there are as many
    series as there were."""
    alice.push_image(NAME, "latest")

    def everything(suffix: str) -> None:
        for method in ("GET", "PUT", f"MADE{suffix.upper()}"):
            for path in (f"alice/{suffix}/manifests/{suffix}", f"a/{suffix}", suffix):
                alice.request(method, f"/v2/{path}", headers={"User-Agent": suffix})
        alice.get(f"/v2/{NAME}/blobs/{digest_of(suffix.encode())}")
        alice.patch(f"/v2/{NAME}/blobs/uploads/{NO_SESSION}?x={suffix}")
        alice.delete(f"/v2/{NAME}/manifests/{suffix}")

    everything("one")
    before = set(scrape(app))
    for number in range(20):
        everything(f"n{number}")
    assert set(scrape(app)) == before
    routes = {dict(labels).get("route") for _, labels in before} - {None}
    assert routes <= {"unknown", *(endpoint for _, _, endpoint, _ in ROUTES)}
    assert "one" not in json.dumps(sorted(str(key) for key in before))


def test_metrics_are_off_by_default(make_app: MakeApp) -> None:
    """Metrics cannot be read by mistake, and requests are not counted."""
    app = make_app(OCI_METRICS=False)
    RegistryClient.of(app, "alice").push_image(NAME, "latest")
    with app.test_request_context(), pytest.raises(RuntimeError, match="OCI_METRICS"):
        registry.metrics()


def test_metrics_have_no_address(app: Flask) -> None:
    """The host decides who may read metrics: the registry has no address for them."""
    rules = [rule.rule for rule in app.url_map.iter_rules()]
    assert not [rule for rule in rules if "metrics" in rule]


def test_metrics_without_prometheus_client_names_the_package(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that enables metrics without the package is told which one to install."""
    real = builtins.__import__

    def lacking(name: str, *args: t.Any, **kwargs: t.Any) -> t.Any:
        if name.startswith("prometheus_client"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(RuntimeError, match=r"flask-oci\[metrics\]"):
        make_app(OCI_METRICS=True)
    make_app(OCI_METRICS=False)
