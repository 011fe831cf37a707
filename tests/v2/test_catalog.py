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
    """Somebody with repositories, among those of others."""
    for name in NAMES[::2] + NAMES[1::2]:
        alice.push_image(name)
    bob.push_image("bob/private")
    bob.push_image("bob/public")
    Administrator(alice.app).publish("bob/public")
    return alice


def test_catalog(filled: RegistryClient, bob: RegistryClient) -> None:
    """Users see what they may pull, in the order of its bytes."""
    response = filled.get(CATALOG)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.get_json() == {"repositories": [*NAMES, "bob/public"]}
    assert "Link" not in response.headers
    seen = bob.get(CATALOG).get_json()["repositories"]
    assert seen == ["bob/private", "bob/public"]


def test_nothing(alice: RegistryClient) -> None:
    """A list of nothing is an empty list."""
    assert alice.get(CATALOG).get_json() == {"repositories": []}


def test_repository_without_a_manifest(alice: RegistryClient) -> None:
    """A repository that nothing could be pulled from is not listed."""
    alice.push_blob("alice/app", b"only a blob")

    assert alice.get(CATALOG).get_json() == {"repositories": []}


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7, 8])
def test_pages(filled: RegistryClient, n: int) -> None:
    """Links lead through all repositories, n at a time."""
    pages = list(filled.pages(f"{CATALOG}?n={n}", "repositories"))

    assert [name for page in pages for name in page] == [*NAMES, "bob/public"]
    assert len(pages) == -(-7 // n)


def test_link(filled: RegistryClient) -> None:
    """The link to the next page is a path on this host."""
    response = filled.get(CATALOG, query={"n": "4"})

    link = '</v2/_catalog?n=4&last=alice%2Fa%2Fb>; rel="next"'
    assert response.headers["Link"] == link


def test_page_of_nothing(filled: RegistryClient) -> None:
    """A page of no entries is empty and leads nowhere."""
    response = filled.get(CATALOG, query={"n": "0"})

    assert response.get_json() == {"repositories": []}
    assert "Link" not in response.headers


@pytest.mark.parametrize("last", ["", "alice/a", "alice/a.", "alice/zzz", "z", "\0"])
def test_last(filled: RegistryClient, last: str) -> None:
    """A list begins behind the last entry of the one before."""
    names = filled.get(CATALOG, query={"last": last}).get_json()["repositories"]

    last = last.replace("\0", "")
    assert names == [name for name in [*NAMES, "bob/public"] if name > last]


@pytest.mark.options(oci_max_page_size=2)
@pytest.mark.parametrize("query", ["", "?n=1000000000000000000"])
def test_clamp(filled: RegistryClient, query: str) -> None:
    """A page is never longer than configured, whatever was asked for."""
    pages = list(filled.pages(CATALOG + query, "repositories"))

    assert [len(page) for page in pages] == [2, 2, 2, 1]


@pytest.fixture(name="hosts_policy")
def _hosts_policy(make_app: MakeApp, filled: RegistryClient) -> Flask:
    """The same application with a policy of the host's own."""
    return make_app(
        authorize=lambda user, action, repository: repository.name in NAMES[1::2]
    )


@pytest.mark.parametrize("n", [1, 2, 3, 100])
def test_own_policy(hosts_policy: Flask, n: int) -> None:
    """Where the host decides, its answer decides what is listed, and pages are as
    full as ever."""
    client = RegistryClient.of(hosts_policy, "bob")

    pages = list(client.pages(f"{CATALOG}?n={n}", "repositories"))

    assert [name for page in pages for name in page] == NAMES[1::2]
    assert len(pages) == -(-3 // n)


def test_anonymous(filled: RegistryClient, anonymous: RegistryClient) -> None:
    """Whoever sends no credentials is told which token to get."""
    response = anonymous.get(CATALOG)

    assert refusal(response) == (401, "UNAUTHORIZED")
    challenge = response.headers["WWW-Authenticate"]
    assert 'scope="registry:catalog:*"' in challenge


def test_token(filled: RegistryClient) -> None:
    """A token for the list gets it, and another one does not."""
    allowed = filled.bearer("registry:catalog:*")
    other = filled.bearer("repository:alice/a:pull")

    assert allowed.get(CATALOG).get_json()["repositories"] == [*NAMES, "bob/public"]
    response = other.get(CATALOG)
    assert refusal(response) == (401, "UNAUTHORIZED")
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]


def test_token_of_nobody(filled: RegistryClient, anonymous: RegistryClient) -> None:
    """A token that was made for nobody lists what is public."""
    client = anonymous.bearer("registry:catalog:*")

    assert client.get(CATALOG).get_json() == {"repositories": ["bob/public"]}
