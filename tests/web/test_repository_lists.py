"""The list of repositories: filters, orders, pages in both directions and totals.

Each policy has the same results: one that the database decides, one that the host
decides for each repository, and one whose visibility the host decides.
"""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci import RepositoryInfo
from flask_oci.clock import utcnow
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import encoded
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import OCI_CONFIG
from flask_oci.testing.manifests import OCI_EMPTY
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.web import paging
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import registry
from tests.support.host import set_policy
from tests.support.host import User
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.upkeep import Upkeep
from tests.support.visitor import Page
from tests.support.visitor import statements
from tests.support.visitor import Visitor

LIST = "/images/"
POLICIES = ("default", "authorize", "visibility")


@pytest.fixture(name="policy", params=POLICIES)
def _policy(request: pytest.FixtureRequest, app: Flask) -> t.Iterator[str]:
    """The policy of the host."""
    hooks, policy = registry._hooks, str(request.param)
    if policy == "authorize":
        set_policy(registry.default_policy)
    if policy == "visibility":
        hooks.visibility_of = _visibility
    yield policy
    hooks.visibility_of = None


def _visibility(repository: RepositoryInfo) -> str | None:
    """Leave the visibility to the registry, and so decide about each repository."""
    return repository.visibility


def push_platform(client: RegistryClient, name: str, **fields: str) -> None:
    """Push an image for a platform."""
    config = encoded({"os": "linux", **fields})
    client.push_blob(name, config)
    client.push_manifest(name, image(config=descriptor(config, OCI_CONFIG)), "v1")


def push_artifact(client: RegistryClient, name: str, kind: str, **kw: t.Any) -> None:
    """Push an artifact."""
    client.push_blob(name, b"{}")
    written = image(config=descriptor(b"{}", OCI_EMPTY), artifactType=kind, **kw)
    client.push_manifest(name, written, None if kw else "v1")


@pytest.fixture(name="content")
def _content(alice: RegistryClient, admin: Administrator) -> None:
    """Repositories of several kinds, of which one is public."""
    push_platform(alice, "alice/arm", architecture="arm64", variant="v8")
    push_platform(alice, "alice/web", architecture="amd64")
    push_artifact(alice, "alice/chart", "application/vnd.cncf.helm.config.v1+json")
    push_artifact(alice, "alice/files", "application/vnd.example.files")
    # Content that is attached to an image is no content of its own.
    subject = descriptor(image(), OCI_MANIFEST)
    push_artifact(alice, "alice/web", "application/vnd.example.scan", subject=subject)
    admin.publish("alice/web")


def names(page: Page) -> list[str]:
    """Return the repositories on a page, in their order."""
    return [name for name in page.links if name.startswith(("alice/", "bob/"))]


#: Searches, and what alice finds by them.
SEARCHES: t.Final[dict[str, set[str]]] = {
    "kind=image": {"alice/arm", "alice/web"},
    "kind=chart": {"alice/chart"},
    "kind=artifact": {"alice/files"},
    "kind=wasm": set(),
    "platform=linux/arm64": {"alice/arm"},
    "platform=linux/arm64/v8": {"alice/arm"},
    "platform=linux/arm6": set(),
    "visibility=public": {"alice/web"},
    "visibility=private&kind=image": {"alice/arm"},
}


@pytest.mark.usefixtures("policy", "content")
def test_list_filters_by_kind_platform_and_visibility(alice: RegistryClient) -> None:
    """The pages, REST and the command find the same, and nothing that is hidden."""
    visitor, bob = Visitor(alice.app, "alice"), Visitor(alice.app, "bob")
    for query, found in SEARCHES.items():
        assert set(names(visitor.get(f"{LIST}?{query}"))) == found, query
        items = RestClient(alice).items(f"/repositories?{query}")
        assert {item["name"] for item in items} == found, query
        options = [f"--{word}" for word in query.replace("=", " ").split("&")]
        words = [word for option in options for word in option.split()]
        listed = Upkeep(alice.app).run("repositories", "--json", *words)
        assert {row["name"] for row in json.loads(listed.stdout)} == found, query
        public = found & {"alice/web"}
        assert set(names(bob.get(f"{LIST}?{query}"))) == public, query


#: The last component of each name, in each order.
ORDERS: t.Final = {
    "pulls": "bcade",
    "size": "edcba",
    "name": "abcde",
    "pushed": "edcba",
}


@pytest.mark.usefixtures("policy")
def test_list_pages_lead_forwards_and_back(
    alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each order has the same pages in both directions, and REST has the same order."""
    Repository = registry.models.Repository
    for number, letter in enumerate("abcde"):
        alice.push_image(f"alice/{letter}", "v1", layer=b"x" * (1000 * number))
        # MariaDB stores seconds.
        Upkeep(alice.app).execute(
            sa.update(Repository)
            .where(Repository.name == f"alice/{letter}")
            .values(pushed_at=utcnow() + timedelta(minutes=number))
        )
    for letter in "bbc":
        alice.get(f"/v2/alice/{letter}/manifests/v1")
    with alice.app.app_context():
        alice.app.extensions["oci"].pulls.write()
    monkeypatch.setattr(paging, "PAGE", 2)
    for sort, ordered in ORDERS.items():
        check_pages(Visitor(alice.app, "alice"), sort, [f"alice/{c}" for c in ordered])
        items = RestClient(alice).items(f"/repositories?order={sort}&limit=2")
        assert [item["name"][-1] for item in items] == [*ordered]


def check_pages(visitor: Visitor, sort: str, ordered: list[str]) -> None:
    """Check the three pages of a list in both directions."""
    page, pages = visitor.get(f"{LIST}?sort={sort}"), []
    assert "Previous page" not in page.links
    while "Next page" in page.links:
        pages.append(names(page))
        page = visitor.get(page.links["Next page"])
    pages.append(names(page))
    assert pages == [ordered[:2], ordered[2:4], ordered[4:]]
    for earlier in (pages[1], pages[0]):
        page = visitor.get(page.links["Previous page"])
        assert names(page) == earlier
    assert "Previous page" not in page.links
    assert names(visitor.get(page.links["Next page"])) == pages[1]


def test_total_counts_what_the_caller_may_pull(
    policy: str, content: None, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hidden repositories are not counted. If the host decides about each repository,
    only a list of one page has a total."""
    alice_sees, bob_sees = Visitor(alice.app, "alice"), Visitor(alice.app, "bob")
    assert "4 repositories" in alice_sees.get(LIST).text
    assert "1 repository" in bob_sees.get(LIST).text
    rest = RestClient(alice)
    assert rest.get("/repositories?count=true")["total"] == 4
    assert rest.get("/repositories")["total"] is None
    monkeypatch.setattr(paging, "PAGE", 2)
    is_known = policy == "default"
    assert ("4 repositories" in alice_sees.get(LIST).text) == is_known
    assert (rest.get("/repositories?count=true&limit=2")["total"] == 4) == is_known


def test_list_of_10000_repositories_costs_what_a_small_one_costs(
    app: Flask, alice: RegistryClient, content: None
) -> None:
    """Each filter and order executes the same few statements."""
    visitor = Visitor(app, "alice")
    queries = ["", "sort=size", "sort=pulls", "kind=chart", "platform=linux/arm64"]

    def counts() -> list[int]:
        found = []
        for query in queries:
            with statements(app) as sent:
                assert visitor.status(f"{LIST}?{query}") == 200
            found.append(len(sent))
        return found

    few = counts()
    with app.app_context():
        owner = db.session.scalar(sa.select(User.id).where(User.username == "alice"))
        rows = [
            {"name": f"alice/n{number}", "owner_id": owner, "pushed_at": utcnow()}
            for number in range(10_000)
        ]
        db.session.execute(sa.insert(registry.models.Repository), rows)
        db.session.commit()
    assert counts() == few
    assert max(few) <= 6, few
    assert "more than 10000 repositories" in visitor.get(LIST).text


@pytest.mark.options(oci_allow_sparse=True)
def test_platform_of_hidden_config_is_not_read(
    alice: RegistryClient, bob: RegistryClient
) -> None:
    """A manifest that names a config of a hidden repository reveals nothing of it."""
    config = encoded({"os": "linux", "architecture": "s390x"})
    alice.push_blob("alice/secret", config)
    manifest = image(config=descriptor(config, OCI_CONFIG))
    bob.push_manifest("bob/guess", manifest, "v1")
    items = RestClient(bob).items("/repositories")
    assert [(i["name"], i["platforms"]) for i in items] == [("bob/guess", [])]


@pytest.mark.usefixtures("content")
def test_collection_records_kinds_of_older_manifests(
    app: Flask, alice: RegistryClient
) -> None:
    """Manifests that an earlier version stored are found after a collection."""
    Manifest, visitor = registry.models.Manifest, Visitor(app, "alice")
    with app.app_context():
        db.session.execute(sa.update(Manifest).values(kind=None, platform=None))
        db.session.commit()
    assert names(visitor.get(f"{LIST}?kind=chart")) == []
    Upkeep(app).run("gc")
    assert names(visitor.get(f"{LIST}?kind=chart")) == ["alice/chart"]
    assert names(visitor.get(f"{LIST}?platform=linux/arm64")) == ["alice/arm"]


def test_front_page_of_anonymous_visitor_shows_public_images(
    app: Flask, alice: RegistryClient, content: None
) -> None:
    """It shows the most pulled of them, and no other."""
    alice.get("/v2/alice/web/manifests/v1")
    with app.app_context():
        app.extensions["oci"].pulls.write()
    page = Visitor(app).get(LIST)
    assert "Public images" in page.text
    assert "Most pulled" in page.text
    assert names(page) == ["alice/web"]
    assert "Public images" not in Visitor(app, "alice").get(LIST).text
