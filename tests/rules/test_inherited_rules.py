"""Rules of a path, the owner and the site, on the settings page and in REST."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.support.credentials import user_named
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.visitor import Visitor

NAME = "alice/app"
SETTINGS = f"/images/{NAME}/-/settings"
REST = f"/repositories/{NAME}/-"

pytestmark = pytest.mark.options(
    oci_immutable_tags=["v*"], oci_retention=["delete * older than 90 days"]
)


@pytest.fixture(name="rest")
def _rest(app: Flask, alice: RegistryClient) -> RestClient:
    """A client of alice, who has an image."""
    alice.push_image(NAME, "v1")
    return RestClient.of(app, "alice")


def test_settings_show_patterns_of_all_scopes_with_their_origin(
    app: Flask, rest: RestClient
) -> None:
    """The fields have only those of the repository itself."""
    text = Visitor(app, "alice").get(SETTINGS).text
    assert "v* immutable from the configuration of this site" in text
    with app.app_context():
        tags, owner = registry.tag_protection, user_named("alice")
        tags.set(repository=NAME, protected=["own-*"])
        tags.set(owner=owner, protected=["latest"])
        tags.set(path="alice/*", immutable=["r-*"])
        tags.set(path="bob/*", immutable=["not-hers"])
    page = Visitor(app, "alice").get(SETTINGS)
    assert "r-* immutable from the path alice/*" in page.text
    assert "latest protected from the owner alice" in page.text
    assert "v* immutable from the configuration of this site" in page.text
    assert "not-hers" not in page.text
    values = {i.get("id"): i.get("value") for i in page.all("input")}
    assert (values["protected"], values["immutable"]) == ("own-*", "")
    found = rest.get(f"{REST}/protected-tags")
    assert found["protected"] == ["own-*"]
    assert [
        (each["source"], each["source_name"], each["protected"], each["immutable"])
        for each in found["inherited"]
    ] == [
        ("path", "alice/*", [], ["r-*"]),
        ("owner", "alice", ["latest"], []),
        ("site", "", [], ["v*"]),
    ]


def test_settings_show_the_retention_rules_that_apply(
    app: Flask, rest: RestClient
) -> None:
    """Those of the site, then of the owner, then of the longest path, until the
    repository has its own."""
    visitor, owner = Visitor(app, "alice"), {}
    with app.app_context():
        owner = {"owner": user_named("alice")}
    steps = (
        (None, "the configuration of this site", "delete * older than 90 days"),
        (owner, "the owner alice", "delete owner-*"),
        ({"path": "alice/*"}, "the path alice/*", "delete path-*"),
    )
    for scope, origin, rule in steps:
        if scope is not None:
            with app.app_context():
                registry.retention.set([rule], **scope)
        text = visitor.get(SETTINGS).text
        assert f"These rules apply, from {origin}: {rule} " in text
        found = rest.get(f"{REST}/retention")
        assert (found["rules"], found["inherited"]["rules"]) == ([], [rule])
    rest.done("PUT", f"{REST}/retention", {"rules": ["delete own-*"]})
    assert "These rules apply" not in visitor.get(SETTINGS).text
    assert rest.get(f"{REST}/retention")["rules"] == ["delete own-*"]


@pytest.mark.options(oci_retention=[])
def test_settings_without_any_rule_say_that_nothing_is_deleted(
    app: Flask, rest: RestClient
) -> None:
    """An empty field could also mean that rules of the site apply."""
    text = Visitor(app, "alice").get(SETTINGS).text
    assert "No rules apply, so nothing is deleted." in text
    assert rest.get(f"{REST}/retention")["inherited"]["rules"] == []
