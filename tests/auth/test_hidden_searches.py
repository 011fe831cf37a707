"""Searches cost the same work whether or not a hidden repository matches.

The policies of these tests execute statements, and the host has no function for
``list_filter``, so the registry asks about each repository.

"""

from __future__ import annotations

import typing as t
from urllib.parse import parse_qsl
from urllib.parse import urlsplit

import pytest
from flask import Flask

from flask_oci.http import readable
from tests.auth.test_hidden_work import by_statement
from tests.auth.test_hidden_work import visibility_by_statement
from tests.auth.test_hidden_work import work
from tests.auth.test_hidden_work import work_of
from tests.support.host import registry
from tests.support.host import set_policy
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.visitor import Visitor

#: Names that one search finds, and another does not: all hidden ones and one of bob.
NAMES = ["alice/secret", "alice/secret/two", "bob/app"]


@pytest.fixture(name="bob", params=["statements", "visibility"])
def _bob(request: pytest.FixtureRequest, app: Flask) -> t.Iterator[RegistryClient]:
    """Bob, who may not pull the private repositories of alice."""
    hooks, is_policy = registry._hooks, request.param == "statements"
    for name in NAMES:
        RegistryClient.of(app, name.partition("/")[0]).push_image(name, "v1")
    set_policy(by_statement if is_policy else None)
    hooks.visibility_of = None if is_policy else visibility_by_statement
    yield RegistryClient.of(app, "bob")
    hooks.visibility_of = None


@pytest.mark.sqlite_only
@pytest.mark.parametrize("sort", ["name", "pushed"])
@pytest.mark.parametrize(
    ("matching", "missing"),
    [
        ("under=alice/secret", "under=alice/absent"),
        ("under=alice", "under=alicia"),
        ("q=secret", "q=absent"),
        ("q=secret&under=alice", "q=absent&under=alice"),
    ],
)
@pytest.mark.parametrize("username", ["bob", None])
def test_page_search_of_hidden_name_costs_the_work_of_a_missing_one(
    app: Flask,
    bob: RegistryClient,
    username: str | None,
    matching: str,
    missing: str,
    sort: str,
) -> None:
    """The pages execute the same statements."""
    visitor, found = Visitor(app, username), []
    for query in (matching, missing):
        with work(app) as done:
            assert visitor.status(f"/images/?sort={sort}&{query}") == 200
        found.append(done)
    assert found[0] == found[1]


@pytest.mark.parametrize("order", ["name", "pushed"])
@pytest.mark.parametrize(
    ("matching", "missing"),
    [
        ("under=alice/secret", "under=alice/absent"),
        ("search=secret", "search=absent"),
        ("search=SECRET&limit=1", "search=ABSENT&limit=1"),
    ],
)
def test_rest_search_of_hidden_name_costs_the_work_of_a_missing_one(
    bob: RegistryClient, matching: str, missing: str, order: str
) -> None:
    """REST executes the same statements, also for an anonymous client."""
    for client in (bob, RegistryClient(bob.app)):
        rest, found = RestClient(client), []
        for query in (matching, missing):
            with work(client.app) as done:
                assert not rest.items(f"/repositories?order={order}&{query}")
            found.append(done)
        assert found[0] == found[1]


def test_catalog_after_any_name_costs_the_same_work(bob: RegistryClient) -> None:
    """The name that a client begins after does not tell how many hidden names follow
    it."""
    found = [
        work_of(bob, "GET", "/v2/_catalog", query={"last": last})
        for last in ("alice/secre", "alice/secret", "alice/secret/two", "zzz")
    ]
    assert all(statements == found[0] for statements in found)


def test_catalog_begins_only_at_names_from_its_links(bob: RegistryClient) -> None:
    """A link has a proof for its name, which is no proof for another name."""
    bob.push_image("bob/app/web", "v1")
    first = bob.get("/v2/_catalog?n=1")
    link = first.headers["Link"][1:].partition(">; ")[0]
    query = dict(parse_qsl(urlsplit(link).query))
    assert query.pop("last") == "bob/app"
    page = "/v2/_catalog"
    unproven = work_of(bob, "GET", page, query={"last": "bob/app"})
    proven = work_of(bob, "GET", page, query={**query, "last": "bob/app"})
    assert len(proven) < len(unproven)
    for last in ("alice/secret", "alice/a", "\u20ac"):
        for after in (query["after"], "A" * 80, "é"):
            chosen = {**query, "after": after, "last": last}
            assert work_of(bob, "GET", page, query=chosen) == unproven
    pages = [*bob.pages("/v2/_catalog?n=1", "repositories")]
    assert pages == [["bob/app"], ["bob/app/web"]]


def test_rest_search_asks_a_bounded_number_of_times(
    bob: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that ends among hidden repositories has fewer entries, and a position for
    the next page."""
    monkeypatch.setattr(readable, "BATCH_SIZE", 1)
    monkeypatch.setattr(readable, "MAX_BATCHES", 2)
    bob.push_image("bob/app/web", "v1")
    rest = RestClient(bob)
    for search, names in (("app", ["bob/app", "bob/app/web"]), ("absent", [])):
        first = rest.get(f"/repositories?search={search}")
        assert first["items"] == []
        assert first["next"] is not None
        items = rest.items(f"/repositories?search={search}")
        assert [item["name"] for item in items] == names


def test_search_finds_the_readable_repositories(
    app: Flask, bob: RegistryClient
) -> None:
    """A search has the same results as one that the database does."""
    bob.push_image("bob/app/web", "v1")
    bob.push_image("bob/apple", "v1")
    rest, visitor = RestClient(bob), Visitor(app, "bob")
    for text, under, names in (
        ("", "bob/app", {"bob/app", "bob/app/web"}),
        ("app", "", {"bob/app", "bob/app/web", "bob/apple"}),
        ("APPLE", "bob", {"bob/apple"}),
        ("_pp", "", set()),
        ("%", "", set()),
        ("", "bob/app/", set()),
        ("", "bob/ap", set()),
        ("secret", "alice", set()),
    ):
        items = rest.items(f"/repositories?limit=1&search={text}&under={under}")
        assert {item["name"] for item in items} == names
        page = visitor.get("/images/", q=text, under=under)
        assert {name for name in page.links if name.startswith("bob/")} == names
    catalog = bob.get("/v2/_catalog?last=bob/app").get_json()
    assert catalog["repositories"] == ["bob/app/web", "bob/apple"]
