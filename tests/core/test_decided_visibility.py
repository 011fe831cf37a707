"""A visibility that the application sets, or limits."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask

from flask_oci.errors import Denied
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep
from tests.support.visitor import Visitor

NAME = "alice/app"


@pytest.fixture(name="decided")
def _decided(app: Flask, alice: RegistryClient) -> t.Iterator[Upkeep]:
    """An operator; the application sets the visibility of alice's image."""
    alice.push_image(NAME, "v1")
    alice.push_image("alice/free", "v1")
    registry.visibility_of(lambda found: "public" if found.name == NAME else None)
    yield Upkeep(app)
    registry._hooks.visibility_of = None


def test_decided_visibility_is_refused_by_command_and_python(
    decided: Upkeep, anonymous: RegistryClient
) -> None:
    """Nothing is stored and no event recorded, because the image would stay public."""
    result = decided.run("visibility", NAME, "private")
    assert result.exit_code == 1
    assert "The application sets the visibility of alice/app; it is public." in (
        result.output
    )
    with decided.app.app_context():
        change = registry.repositories
        for found in (NAME, change.find(NAME)):
            with pytest.raises(Denied, match="sets the visibility"):
                change.set_visibility(found, "private")
            with pytest.raises(Denied, match="sets the visibility"):
                change.change(found, visibility="private", description="new")
        change.change(NAME, description="allowed")
    assert "visibility-changed" not in decided.run("events", "list").output
    anonymous.pull(NAME, "v1")


def test_undecided_visibility_is_set_by_command(decided: Upkeep) -> None:
    """The function returns None for this image."""
    result = decided.run("visibility", "alice/free", "public")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "visibility-changed" in decided.run("events", "list").output


@pytest.mark.options(oci_require_login=True)
def test_public_visibility_with_required_login_promises_no_anonymous_pull(
    app: Flask, alice: RegistryClient
) -> None:
    """The command and the page state that clients have to log in."""
    alice.push_image(NAME, "v1")
    assert "OCI_REQUIRE_LOGIN" in Upkeep(app).run("visibility", NAME, "public").stderr
    visitor = Visitor(app, "alice")
    assert "everyone" not in visitor.get(f"/images/{NAME}/-/settings").text
    asked = visitor.send(f"/images/{NAME}/-/settings/visibility", visibility="public")
    assert "All signed-in users" in asked.text
    assert "signed in or not" not in asked.text


def test_command_with_policy_names_who_decides(
    app: Flask, alice: RegistryClient
) -> None:
    """The application's function may ignore the visibility."""
    alice.push_image(NAME, "v1")
    registry.authorize(lambda user, action, repository: True)
    try:
        result = Upkeep(app).run("visibility", NAME, "private")
    finally:
        registry._hooks.authorize = None
    assert "registry.authorize" in result.stderr
