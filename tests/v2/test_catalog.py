"""The list of repositories."""

from __future__ import annotations

import pytest
from flask import Flask

from flask_oci.testing.answers import refusal
from tests.conftest import MakeApp
from tests.support.host import Administrator
from tests.support.registry_client import RegistryClient

CATALOG = "/v2/_catalog"
#: In the order of their bytes, where "-" and "." come before "/".
NAMES = ["alice/a", "alice/a-b", "alice/a.b", "alice/a/b", "alice/a0", "alice/a_b"]


@pytest.fixture(name="filled")
def _filled(alice: RegistryClient, bob: RegistryClient) -> RegistryClient:
    """A user with repositories, among those of other users."""
    for name in NAMES[::2] + NAMES[1::2]:
        alice.push_image(name)
    bob.push_image("bob/private")
    bob.push_image("bob/public")
    Administrator(alice.app).publish("bob/public")
    return alice


def test_catalog_lists_readable_repositories_in_byte_order(
    filled: RegistryClient, bob: RegistryClient
) -> None:
    """A user sees the repositories that they may pull, in the order of the names'
    bytes."""
    response = filled.get(CATALOG)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.get_json() == {"repositories": [*NAMES, "bob/public"]}
    assert "Link" not in response.headers
    seen = bob.get(CATALOG).get_json()["repositories"]
    assert seen == ["bob/private", "bob/public"]


def test_catalog_without_repositories_is_empty(alice: RegistryClient) -> None:
    """A registry without repositories has an empty list."""
    assert alice.get(CATALOG).get_json() == {"repositories": []}


def test_catalog_repository_without_manifest_is_not_listed(
    alice: RegistryClient,
) -> None:
    """A repository that nothing could be pulled from is not listed."""
    alice.push_blob("alice/app", b"only a blob")

    assert alice.get(CATALOG).get_json() == {"repositories": []}


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7, 8])
def test_catalog_pages_list_all_repositories(filled: RegistryClient, n: int) -> None:
    """Links lead through all repositories, n at a time."""
    pages = list(filled.pages(f"{CATALOG}?n={n}", "repositories"))

    assert [name for page in pages for name in page] == [*NAMES, "bob/public"]
    assert len(pages) == -(-7 // n)


def test_catalog_link_is_a_path_on_this_host(filled: RegistryClient) -> None:
    """The link to the next page is a path on this host."""
    response = filled.get(CATALOG, query={"n": "4"})

    link = '</v2/_catalog?n=4&last=alice%2Fa%2Fb>; rel="next"'
    assert response.headers["Link"] == link


def test_catalog_page_of_zero_entries_is_empty(filled: RegistryClient) -> None:
    """A page of no entries is empty and leads nowhere."""
    response = filled.get(CATALOG, query={"n": "0"})

    assert response.get_json() == {"repositories": []}
    assert "Link" not in response.headers


@pytest.mark.parametrize("last", ["", "alice/a", "alice/a.", "alice/zzz", "z", "\0"])
def test_catalog_last_begins_after_that_entry(
    filled: RegistryClient, last: str
) -> None:
    """A list begins after the last entry of the previous one."""
    names = filled.get(CATALOG, query={"last": last}).get_json()["repositories"]

    last = last.replace("\0", "")
    assert names == [name for name in [*NAMES, "bob/public"] if name > last]


@pytest.mark.options(oci_max_page_size=2)
@pytest.mark.parametrize("query", ["", "?n=1000000000000000000"])
def test_catalog_page_size_is_limited(filled: RegistryClient, query: str) -> None:
    """A page is never longer than configured, whatever size the client asks for."""
    pages = list(filled.pages(CATALOG + query, "repositories"))

    assert [len(page) for page in pages] == [2, 2, 2, 1]


@pytest.fixture(name="hosts_policy")
def _hosts_policy(make_app: MakeApp, filled: RegistryClient) -> Flask:
    """The same application with a policy of the host's own."""
    return make_app(
        authorize=lambda user, action, repository: repository.name in NAMES[1::2]
    )


@pytest.mark.parametrize("n", [1, 2, 3, 100])
def test_catalog_host_policy_fills_pages(hosts_policy: Flask, n: int) -> None:
    """If the host's policy decides, its decisions determine the list, and pages are
    full."""
    client = RegistryClient.of(hosts_policy, "bob")

    pages = list(client.pages(f"{CATALOG}?n={n}", "repositories"))

    assert [name for page in pages for name in page] == NAMES[1::2]
    assert len(pages) == -(-3 // n)


def test_catalog_anonymous_client_is_challenged(
    filled: RegistryClient, anonymous: RegistryClient
) -> None:
    """A client without credentials is told which token to get."""
    response = anonymous.get(CATALOG)

    assert refusal(response) == (401, "UNAUTHORIZED")
    challenge = response.headers["WWW-Authenticate"]
    assert 'scope="registry:catalog:*"' in challenge


def test_catalog_requires_a_token_for_the_catalog(filled: RegistryClient) -> None:
    """A token for the catalog is accepted, and another token is not."""
    allowed = filled.bearer("registry:catalog:*")
    other = filled.bearer("repository:alice/a:pull")

    assert allowed.get(CATALOG).get_json()["repositories"] == [*NAMES, "bob/public"]
    response = other.get(CATALOG)
    assert refusal(response) == (401, "UNAUTHORIZED")
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]


def test_catalog_anonymous_token_lists_public_repositories(
    filled: RegistryClient, anonymous: RegistryClient
) -> None:
    """A token that was issued to an anonymous client lists public repositories."""
    client = anonymous.bearer("registry:catalog:*")

    assert client.get(CATALOG).get_json() == {"repositories": ["bob/public"]}
