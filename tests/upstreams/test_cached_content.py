"""Cached content in the other parts of the registry: collection, checks, retention,
pages, metrics and the Python API."""

from __future__ import annotations

import pytest

from flask_oci.errors import Denied
from flask_oci.services import services
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.conftest import MakeApp
from tests.operations.test_metrics import scrape_text
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.visitor import Visitor

from .conftest import age
from .conftest import IMAGE
from .conftest import Upstreamed

NAME = "hub/library/alpine"
UPSTREAMS = "/images/-/upstreams"
OTHER = image(b"another layer")
PLATFORMS = tuple({"os": "linux", "architecture": a} for a in ("amd64", "arm64"))
INDEX = index(
    descriptor(IMAGE, OCI_MANIFEST, platform=PLATFORMS[0]),
    descriptor(OTHER, OCI_MANIFEST, platform=PLATFORMS[1]),
)


def test_missing_content_is_no_fault_and_survives_a_collection(up: Upstreamed) -> None:
    """A cached index is sparse, and its children can be fetched after a collection."""
    up.hub.push("library/alpine", manifest=OTHER, blobs=(b"another layer",))
    up.hub.push("library/alpine", "all", manifest=INDEX, blobs=())
    app = up.app(None)
    alice = RegistryClient.of(app, "alice")
    alice.get(f"/v2/{NAME}/manifests/all")
    alice.get(f"/v2/{NAME}/manifests/{digest_of(IMAGE)}")
    alice.get(f"/v2/{NAME}/blobs/{digest_of(LAYER)}")
    up.settle()
    assert app.test_cli_runner().invoke(args=["oci", "fsck"]).exit_code == 0
    with app.app_context():
        collected = registry.collect_garbage()
    assert (collected.manifests, collected.links, collected.failures) == ([], [], [])
    alice.pull(NAME, digest_of(OTHER))


def test_shared_layer_survives_the_expiry_of_a_cached_image(up: Upstreamed) -> None:
    """Another repository that links the layer keeps it."""
    alice = up.client(retention=["delete tags not pulled for 30 days"])
    alice.pull(NAME, "3")
    up.settle()
    path = "/v2/alice/copy/blobs/uploads/"
    for digest in (digest_of(CONFIG), digest_of(LAYER)):
        alice.post(path, query={"mount": digest, "from": NAME})
    alice.put_manifest("alice/copy", "1", IMAGE)
    with alice.app.app_context():
        verdicts = registry.apply_retention([NAME], dry_run=True)
        assert [verdict.tag for verdict in verdicts] == ["3"]
        registry.upstreams.purge(NAME)
        registry.collect_garbage()
    assert alice.pull("alice/copy", "1").digest == digest_of(IMAGE)
    assert alice.pull(NAME, "3").digest == digest_of(IMAGE)


def test_pages_of_a_sparse_image_are_shown(up: Upstreamed) -> None:
    """The pages offer no changes, and have no layers to read."""
    up.hub.push("library/alpine", "all", manifest=INDEX, blobs=())
    alice = up.client()
    alice.get(f"/v2/{NAME}/manifests/all")
    alice.get(f"/v2/{NAME}/manifests/3")
    visitor = Visitor(alice.app, "alice")
    for path in ("", f"/{NAME}", f"/{NAME}/-/image/all", f"/{NAME}/-/image/3"):
        assert visitor.status(f"/images{path or '/'}") == 200, path
    assert visitor.status(f"/images/{NAME}/-/settings") == 403


def test_pages_show_the_source_and_its_state(
    up: Upstreamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason of a failure is shown to administrators only."""
    alice = up.client()
    alice.pull(NAME, "3")
    up.hub.headers = {"RateLimit-Remaining": "7;w=60", "RateLimit-Limit": "100;w=60"}
    visitor, host = Visitor(alice.app, "alice"), up.address.partition("://")[2]
    page = visitor.get(f"/images/{NAME}")
    assert f"Cached from {host}/library/alpine" in page.text
    assert "does not answer as it should" not in page.text
    del up.hub.manifests["library/alpine", "3"]
    age(alice.app, minutes=6)
    alice.pull(NAME, "3")
    assert f"deleted at {host}" in visitor.get(f"/images/{NAME}").text
    up.hub.broken = [418] * 10
    alice.get(f"/v2/{NAME}/manifests/4")
    page = visitor.get(f"/images/{NAME}")
    assert "does not answer as it should" in page.text
    assert "418" not in page.text
    assert visitor.status(UPSTREAMS) == 404
    monkeypatch.setattr(registry._hooks, "is_admin", lambda user: True)
    page = visitor.get(UPSTREAMS)
    assert f"{host} answers 418" in page.text
    assert "1 repository" in page.text


def test_content_cannot_be_put_into_the_namespace_by_other_ways(
    up: Upstreamed,
) -> None:
    """The Python API and the commands refuse it as well."""
    alice = up.client()
    alice.push("alice/app", "1")
    alice.pull(NAME, "3")
    with alice.app.app_context():
        images, repositories = registry.images, registry.repositories
        with pytest.raises(Denied, match="read-only"):
            repositories.rename("alice/app", "hub/app")
        with pytest.raises(Denied, match="read-only"):
            repositories.rename(NAME, "alice/alpine")
        with pytest.raises(Denied, match="OCI_UPSTREAMS"):
            repositories.set_visibility(NAME, "public")
        with pytest.raises(Exception, match="read-only"):
            images.copy("alice/app:1", "hub/library/app:1")


def test_image_is_fetched_in_advance_and_purged(up: Upstreamed) -> None:
    """Only images for the platforms of the upstream are fetched."""
    up.hub.push("library/alpine", manifest=OTHER, blobs=(b"another layer",))
    up.hub.push("library/alpine", "all", manifest=INDEX, blobs=())
    alice = up.client(platforms=["linux/amd64"])
    with alice.app.app_context():
        warmed = registry.upstreams.warm(NAME, "all")
        assert (warmed.manifests, warmed.blobs) == (2, 2)
        (found,) = registry.upstreams.list()
        size = len(CONFIG) + len(LAYER)
        assert (found.repositories, found.tags, found.bytes) == (1, 1, size)
        assert found.answered_at is not None
        assert not found.is_failing
    asked = list(up.hub.asked)
    alice.pull(NAME, digest_of(IMAGE))
    assert up.hub.asked == asked
    with alice.app.app_context():
        assert registry.upstreams.purge(NAME, "all") == [NAME]
        assert registry.upstreams.purge("hub") == [NAME]
        assert registry.upstreams.get("hub").repositories == 0
        with pytest.raises(ValueError, match="neither"):
            registry.upstreams.purge("alice")
    alice.pull(NAME, "3")


def test_check_reports_refused_credentials(up: Upstreamed) -> None:
    up.hub.closed = True
    app = up.app(None, username="robot", password="wrong")
    with app.app_context():
        assert "401" in (registry.upstreams.check("hub") or "")
        assert registry.upstreams.get("hub").is_failing
    app = up.app(None, username="robot", password="sesame:open")
    with app.app_context():
        assert registry.upstreams.check("hub") is None
        assert not registry.upstreams.get("hub").is_failing


def test_rate_limit_is_recorded_and_counted(up: Upstreamed, make_app: MakeApp) -> None:
    """The headers of Docker Hub become metrics, and are known to other processes."""
    up.hub.headers = {
        "RateLimit-Limit": "100;w=21600",
        "RateLimit-Remaining": "98;w=21600",
    }
    settings = {"address": up.address, "networks": ["127.0.0.0/8"]}
    app = make_app(OCI_UPSTREAMS={"hub": settings}, OCI_METRICS=True)
    alice = RegistryClient.of(app, "alice")
    alice.pull(NAME, "3")
    up.settle()
    alice.get(f"/v2/{NAME}/manifests/3")
    age(app, minutes=6)
    up.hub.broken = [503] * 10
    alice.get(f"/v2/{NAME}/manifests/3")
    with app.app_context():
        found = registry.upstreams.get("hub")
        assert found.rate_limit == "100;w=21600"
        assert found.rate_remaining == "98;w=21600"
        assert found.failure is not None
        text = registry.metrics().get_data(as_text=True)
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in scrape_text(text)
        for sample in family.samples
    }
    assert samples["oci_upstream_remaining_requests", "hub"] == 98
    assert samples["oci_upstream_bytes_total", "hub"] == len(CONFIG) + len(LAYER)
    for event, number in (("hit", 1), ("miss", 3), ("stale", 1), ("error", 1)):
        key = ("oci_upstream_events_total", *sorted(("hub", event)))
        assert samples[key] == number


def test_old_records_of_upstreams_are_pruned(up: Upstreamed) -> None:
    """A check without its tag is deleted after a month, that of a tag is not."""
    import sqlalchemy as sa

    from tests.support.host import db

    alice = up.client()
    alice.pull(NAME, "3")
    alice.get(f"/v2/{NAME}/referrers/{digest_of(IMAGE)}")
    up.settle()
    age(alice.app, days=31)
    with alice.app.app_context():
        services().catalog.upstreams.prune()
        Check = registry.models.UpstreamCheck
        assert list(db.session.scalars(sa.select(Check.reference))) == ["3"]
