"""Quotas: warnings, cost, commands and pages."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from flask_oci.rules.quota import parse_size
from flask_oci.rules.quota import readable
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.requests import with_query
from tests.conftest import MakeApp
from tests.support.credentials import user_named
from tests.support.host import registry
from tests.support.quotas import limit
from tests.support.quotas import message
from tests.support.quotas import NAME
from tests.support.quotas import post
from tests.support.quotas import used
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import Upkeep
from tests.support.visitor import statements
from tests.support.visitor import Visitor

# Warning


def test_usage_above_nine_tenths_causes_warning(
    app: Flask, alice: RegistryClient
) -> None:
    """Every request of the push has the warning."""
    alice.push_image(NAME, "v1", layer=b"x" * 10_000)
    limit(app, bytes=20_000)
    assert "Warning" not in alice.post(f"/v2/{NAME}/blobs/uploads/").headers
    limit(app, bytes=11_000, images=10)
    manifest = image(b"x" * 10_000)
    begun = alice.post(f"/v2/{NAME}/blobs/uploads/")
    sent = alice.patch(begun.headers["Location"], b"one")
    whole = with_query(sent.headers["Location"], digest=digest_of(b"onetwo"))
    mount = {"mount": digest_of(b"onetwo"), "from": NAME}
    for status, response in (
        (202, begun),
        (202, sent),
        (201, alice.put(whole, b"two")),
        (201, post(alice, b"three")),
        (202, alice.post("/v2/alice/other/blobs/uploads/")),
        (201, alice.post("/v2/alice/other/blobs/uploads/", query=mount)),
        (201, alice.put_manifest(NAME, "v1", manifest)),
    ):
        assert response.status_code == status
        assert response.headers["Warning"].startswith('299 - "alice uses 10.')
    limit(app, images=1)
    warned = alice.put_manifest(NAME, "v1", manifest).headers["Warning"]
    assert warned == '299 - "alice has 1 of 1 image."'


# Without a quota


def test_push_without_quota_costs_no_statement(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """The quota of another owner does not matter."""
    alice.push_image(NAME, "v1")

    def push(client: RegistryClient, name: str) -> int:
        with statements(app) as sent:
            content = name.encode()
            location = client.start_upload(name)
            client.patch(location, content)
            client.put(with_query(location, digest=digest_of(content)))
            client.put_manifest(name, "v2", image(b"a layer", config=CONFIG, name=name))
        return len([s for s in sent if not s.startswith("BEGIN")])

    before = push(alice, NAME)
    bob.push_image("bob/app", "v1")
    with app.app_context():
        registry.quotas.set(owner=user_named("bob"), bytes=1_000_000)
    alice.push_image("alice/two", "v1")
    assert push(alice, "alice/two") == before
    assert push(bob, "bob/app") > before


# Command and page


def test_quota_command_sets_shows_and_unsets_quota(
    app: Flask, alice: RegistryClient
) -> None:
    """A quota applies to the next push, and the command shows the usage."""
    keeper = Upkeep(app)
    alice.push_image(NAME, "v1", layer=b"x" * 10_000)
    done = keeper.run("quota", "set", "--owner", "alice", "--bytes", "10kB")
    assert done.exit_code == 0, done.output
    message(post(alice, b"new"))
    shown = keeper.run("quota", "show", "--owner", "alice", "--json")
    assert shown.exit_code == 1
    fields = json.loads(shown.output)
    assert fields["bytes"] == {"used": used(app), "quota": 10_000}
    assert fields["images"] == {"used": 1, "quota": None}
    text = keeper.run("quota", "show", "--repository", NAME)
    assert text.exit_code == 0
    assert "of unlimited" in text.output
    listed = json.loads(keeper.run("quota", "list", "--json").output)
    scope = {"repository": None, "owner": "alice", "path": None}
    usage = {"bytes": used(app), "images": 1}
    assert listed == [{**scope, "bytes": 10_000, "images": None, "used": usage}]
    printed = " ".join(keeper.run("quota", "list").output.split())
    assert f"all repositories of alice {readable(used(app))} of 10.0 kB" in printed
    assert "1 of unlimited" in printed
    assert keeper.run("quota", "unset", "--owner", "alice").exit_code == 0
    assert post(alice, b"new").status_code == 201
    assert keeper.run("quota", "unset", "--owner", "alice").exit_code == 1


@pytest.mark.options(oci_owner_quota=5_000_000_000, oci_repository_quota_images=7)
def test_quota_list_has_the_defaults_of_the_configuration(app: Flask) -> None:
    """They hold although no quota is set."""
    printed = " ".join(Upkeep(app).run("quota", "list").output.split())
    assert "each owner, by default 5.0 GB unlimited" in printed
    assert "each repository, by default unlimited 7" in printed


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("set", "--bytes", "1GB"), 2),
        (("set", "--owner", "alice", "--bytes", "much"), 1),
        (("set", "--owner", "alice", "--images", "-1"), 2),
        (("set", "--owner", "nobody", "--bytes", "1GB"), 1),
        (("set", "--repository", "alice/none", "--bytes", "1GB"), 1),
        (("show", "--repository", "alice/none"), 1),
    ],
)
def test_quota_command_with_invalid_input_fails(
    app: Flask, arguments: tuple[str, ...], status: int
) -> None:
    """It sets no quota."""
    done = Upkeep(app).run("quota", *arguments)
    assert done.exit_code == status, done.output
    with app.app_context():
        assert registry.quotas.list() == []


def test_storage_page_shows_usage_and_quota(app: Flask, alice: RegistryClient) -> None:
    """It shows "used N of M" if there is a quota."""
    alice.push_image(NAME, "v1", layer=b"x" * 500_000)
    visitor = Visitor(app, "alice")
    before = visitor.get("/images/-/storage").text
    assert "Quota " not in before
    assert "Tagged images" not in before
    limit(app, bytes=2_000_000, images=7)
    text = visitor.get("/images/-/storage").text
    assert "Quota 501 kB of 2.0 MB used" in text
    assert "Tagged images 1 of 7" in text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1000", 1000),
        ("10GB", 10**10),
        ("10 GiB", 10 * 2**30),
        ("1.5MB", 1_500_000),
        ("2k", 2000),
        ("3TB", 3 * 10**12),
    ],
)
def test_size_is_parsed_with_usual_units(text: str, size: int) -> None:
    """Users write sizes in these ways."""
    assert parse_size(text) == size


@given(st.text(max_size=20))
def test_any_text_as_size_is_parsed_or_refused(text: str) -> None:
    """No other error occurs."""
    try:
        assert parse_size(text) >= 0
    except ValueError:
        return
    assert readable(parse_size(text))


def test_negative_quota_is_refused(make_app: MakeApp) -> None:
    """A quota has at least zero bytes."""
    app = make_app()
    with app.app_context(), pytest.raises(ValueError, match="must not be negative"):
        registry.quotas.set(owner=user_named("alice"), bytes=-1)
