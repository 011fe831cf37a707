"""Pulling through the cache: the requests that it sends, and for which users."""

from __future__ import annotations

import json
import typing as t

import pytest

from flask_oci import RepositoryInfo
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_INDEX
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.manifests import UNKNOWN
from tests.support.registry_client import RegistryClient

from .conftest import age
from .conftest import IMAGE
from .conftest import Upstreamed

NAME = "hub/library/alpine"
NEWER = image(LAYER, annotations={"version": "newer"})


def test_first_pull_fetches_and_the_second_is_local(up: Upstreamed) -> None:
    """The upstream gets one HEAD, one GET for the manifest and one for each blob."""
    alice = up.client()
    first = alice.pull(NAME, "3")
    assert first.contents[digest_of(LAYER)] == LAYER
    up.settle()
    asked = list(up.hub.asked)
    assert (up.heads(), up.gets(), up.blobs()) == (1, 1, 2)
    assert alice.pull(NAME, "3") == first
    assert up.hub.asked == asked


def test_stale_tag_costs_one_head(up: Upstreamed) -> None:
    """An unchanged tag is not fetched again."""
    alice = up.client()
    alice.pull(NAME, "3")
    age(alice.app, minutes=6)
    alice.get(f"/v2/{NAME}/manifests/3")
    alice.get(f"/v2/{NAME}/manifests/3")
    assert (up.heads(), up.gets()) == (2, 1)


def test_changed_tag_moves(up: Upstreamed) -> None:
    """The former image stays pullable by its digest."""
    alice = up.client()
    alice.pull(NAME, "3")
    up.hub.push("library/alpine", "3", manifest=NEWER, blobs=())
    assert alice.pull(NAME, "3").digest == digest_of(IMAGE)
    age(alice.app, minutes=6)
    assert alice.pull(NAME, "3").digest == digest_of(NEWER)
    assert alice.pull(NAME, digest_of(IMAGE)).digest == digest_of(IMAGE)


def test_head_is_answered_from_the_manifest(up: Upstreamed) -> None:
    """A HEAD for a layer that has not been fetched gives its size."""
    alice = up.client()
    alice.get(f"/v2/{NAME}/manifests/3")
    head = alice.head(f"/v2/{NAME}/blobs/{digest_of(LAYER)}")
    assert (head.status_code, head.content_length) == (200, len(LAYER))
    assert up.hub.count("HEAD", "/blobs/") == 0
    assert up.blobs() == 0


def test_only_children_that_a_client_wants_are_fetched(up: Upstreamed) -> None:
    other = image(b"another layer")
    both = index(
        descriptor(
            IMAGE, OCI_MANIFEST, platform={"os": "linux", "architecture": "amd64"}
        ),
        descriptor(
            other, OCI_MANIFEST, platform={"os": "linux", "architecture": "arm64"}
        ),
    )
    up.hub.push("library/alpine", manifest=other, blobs=(b"another layer",))
    up.hub.push("library/alpine", "all", manifest=both, blobs=())
    alice = up.client(platforms=["linux/amd64"])
    assert alice.get(f"/v2/{NAME}/manifests/all").data == both
    child = f"/v2/{NAME}/manifests/{digest_of(IMAGE)}"
    head = alice.head(child)
    assert (head.content_length, head.mimetype) == (len(IMAGE), OCI_MANIFEST)
    assert up.gets() == 1
    assert alice.get(child).data == IMAGE
    assert up.gets() == 2
    denied = alice.get(f"/v2/{NAME}/manifests/{digest_of(other)}")
    assert denied.status_code == 403
    assert "linux/arm64" in denied.get_json()["errors"][0]["message"]


def test_unnamed_digests_are_not_fetched(up: Upstreamed) -> None:
    """No client can make the forge fetch content that no cached manifest names."""
    alice = up.client()
    up.hub.push("library/alpine", manifest=NEWER, blobs=())
    digest = digest_of(NEWER)
    assert alice.get(f"/v2/{NAME}/manifests/{digest}").status_code == 404
    alice.pull(NAME, "3")
    before = list(up.hub.asked)
    for path in (f"manifests/{digest}", f"blobs/{UNKNOWN}", f"manifests/{UNKNOWN}"):
        assert alice.get(f"/v2/{NAME}/{path}").status_code == 404
    assert alice.get(f"/v2/{NAME}/referrers/{digest}").get_json()["manifests"] == []
    assert up.hub.asked == before


def test_referrers_of_cached_images_are_listed_and_pulled(up: Upstreamed) -> None:
    """A client that verifies signatures finds them, by both ways."""
    signature = image(
        b"signed", artifactType="application/x-sig", subject=descriptor(IMAGE)
    )
    kind = "application/x-sig"
    listed = index(descriptor(signature, OCI_MANIFEST, artifactType=kind))
    fallback = digest_of(IMAGE).replace(":", "-")
    up.hub.push("library/alpine", manifest=signature, blobs=(b"signed",))
    up.hub.push("library/alpine", fallback, manifest=listed, blobs=())
    alice = up.client()
    alice.pull(NAME, "3")
    path = f"/v2/{NAME}/referrers/{digest_of(IMAGE)}"
    found = alice.get(path).get_json()["manifests"]
    assert [entry["digest"] for entry in found] == [digest_of(signature)]
    assert alice.get(path).mimetype == OCI_INDEX
    assert up.hub.count("GET", "/referrers/") == 1
    other = alice.get(path, query={"artifactType": "application/x-other"})
    assert other.get_json()["manifests"] == []
    assert alice.pull(NAME, digest_of(signature)).contents[digest_of(b"signed")]
    assert alice.get(f"/v2/{NAME}/manifests/{fallback}").data == listed


def test_ranges_of_a_blob_that_is_not_cached(up: Upstreamed) -> None:
    """A client can resume a download that broke off."""
    alice = up.client()
    alice.get(f"/v2/{NAME}/manifests/3")
    path = f"/v2/{NAME}/blobs/{digest_of(LAYER)}"
    part = alice.get(path, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.data) == (206, LAYER[2:5])
    assert part.headers["Content-Range"] == f"bytes 2-4/{len(LAYER)}"


def test_only_users_may_pull_and_nothing_is_fetched_for_others(up: Upstreamed) -> None:
    """By default, every user who signs in may pull."""
    app = up.app()
    anonymous, carol = RegistryClient(app), RegistryClient.of(app, "carol")
    for client in (anonymous, carol):
        assert client.get(f"/v2/{NAME}/manifests/3").status_code == 401
    assert up.hub.asked == []
    RegistryClient.of(app, "bob").pull(NAME, "3")
    for path in ("manifests/3", f"blobs/{digest_of(LAYER)}", "tags/list"):
        assert anonymous.get(f"/v2/{NAME}/{path}").status_code == 401


def test_host_decides_who_may_pull(up: Upstreamed) -> None:
    """The function of the host sees the upstream, also before the first fetch."""

    def authorize(user: t.Any, action: str, repository: RepositoryInfo) -> bool:
        return repository.upstream == "hub" and user.username == "bob"

    app = up.app(authorize)
    alice = RegistryClient.of(app, "alice")
    for path in ("manifests/3", "tags/list"):
        assert alice.get(f"/v2/{NAME}/{path}").status_code == 404
    assert up.hub.asked == []
    RegistryClient.of(app, "bob").pull(NAME, "3")


def test_public_upstream_serves_anonymous_clients(up: Upstreamed) -> None:
    app = up.app(visibility="public")
    token = RegistryClient(app).bearer(f"repository:{NAME}:pull")
    assert token.pull(NAME, "3").digest == digest_of(IMAGE)
    catalog = RegistryClient(app).bearer("registry:catalog:*").get("/v2/_catalog")
    assert catalog.get_json()["repositories"] == [NAME]
    # The setting decides, not what was recorded under an earlier one.
    closed = RegistryClient(up.app())
    assert closed.get(f"/v2/{NAME}/manifests/3").status_code == 401
    catalog = closed.bearer("registry:catalog:*").get("/v2/_catalog")
    assert catalog.get_json()["repositories"] == []


def test_namespace_is_read_only(up: Upstreamed) -> None:
    """Each interface refuses changes, before the first fetch and after it."""
    alice = up.client()
    alice.push_blob("alice/app", LAYER)
    for _ in range(2):
        answers = [
            alice.post(f"/v2/{NAME}/blobs/uploads/"),
            alice.post(
                f"/v2/{NAME}/blobs/uploads/",
                query={"mount": digest_of(LAYER), "from": "alice/app"},
            ),
            alice.put_manifest(NAME, "3", IMAGE),
            alice.delete(f"/v2/{NAME}/manifests/3"),
            alice.delete(f"/v2/{NAME}/blobs/{digest_of(LAYER)}"),
        ]
        for answer in answers:
            assert answer.status_code == 403
            assert "read-only" in answer.get_json()["errors"][0]["message"]
        alice.pull(NAME, "3")
    up.settle()
    # A user may mount what the user may pull.
    mounted = alice.post(
        "/v2/alice/copy/blobs/uploads/",
        query={"mount": digest_of(CONFIG), "from": NAME},
    )
    assert mounted.status_code == 201


@pytest.mark.parametrize("name", ["library/other", "someone/alpine", "library"])
def test_names_that_are_not_allowed_are_refused(up: Upstreamed, name: str) -> None:
    alice = up.client(allow=["library/al*"])
    answer = alice.get(f"/v2/hub/{name}/manifests/3")
    assert answer.status_code == 403
    assert "'allow'" in answer.get_json()["errors"][0]["message"]
    assert up.hub.asked == []
    alice.pull(NAME, "3")


def test_deleted_tag_is_kept_or_deleted(up: Upstreamed) -> None:
    """The setting decides what becomes of a tag that the upstream has deleted."""
    alice = up.client()
    alice.pull(NAME, "3")
    del up.hub.manifests["library/alpine", "3"]
    age(alice.app, minutes=6)
    alice.pull(NAME, "3")
    age(alice.app, minutes=6)
    strict = up.client(on_deleted="delete")
    assert strict.get(f"/v2/{NAME}/manifests/3").status_code == 404
    assert strict.get(f"/v2/{NAME}/tags/list").get_json()["tags"] == []


def test_missing_tag_is_asked_for_once(up: Upstreamed) -> None:
    """Clients that ask for a missing tag do not use up the upstream's limit."""
    alice = up.client()
    for _ in range(3):
        assert alice.get(f"/v2/{NAME}/manifests/4").status_code == 404
    assert up.heads() == 1


def test_blob_of_a_sibling_is_confirmed_and_not_fetched_again(up: Upstreamed) -> None:
    """A layer that several images share is fetched once."""
    up.hub.push("library/other", "1", manifest=NEWER, blobs=(CONFIG, LAYER))
    alice = up.client()
    alice.pull(NAME, "3")
    up.settle()
    alice.pull("hub/library/other", "1")
    assert up.blobs() == 2
    assert up.hub.count("HEAD", "/library/other/blobs/") == 2


def test_private_blob_of_a_user_is_not_linked(up: Upstreamed) -> None:
    """An upstream that names the digest of a private blob does not get its bytes."""
    alice = up.client()
    secret = b"the secret of alice"
    alice.push_blob("alice/secret", secret)
    up.hub.push("evil/app", "1", manifest=image(secret), blobs=(CONFIG,))
    bob = RegistryClient.of(alice.app, "bob")
    bob.get("/v2/hub/evil/app/manifests/1")
    answer = bob.get(f"/v2/hub/evil/app/blobs/{digest_of(secret)}")
    assert answer.status_code == 404
    assert secret not in answer.data


def test_fresh_tag_executes_one_more_statement_than_a_local_one(
    up: Upstreamed,
) -> None:
    """The statement reads when the tag was checked; the read cache answers it, too."""
    from tests.support.host import db
    from tests.support.statements import collected

    alice = up.client(fresh=3600)
    alice.pull(NAME, "3")
    alice.push("alice/app", "3")
    up.settle()
    counts = []
    for name in ("alice/app", NAME):
        path = f"/v2/{name}/manifests/3"
        alice.get(path)
        with alice.app.app_context():
            engine = db.engine
        with collected(engine) as statements:
            alice.get(path)
        counts.append(len(statements))
    assert counts[1] <= counts[0] + 1
    assert json.loads(alice.get(f"/v2/{NAME}/manifests/3").data)
