"""Retention rules: deleted and kept tags and manifests."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime
from datetime import timezone

import pytest
import time_machine
from flask import Flask

from flask_oci import Denied
from flask_oci import RepositoryInfo
from flask_oci.signals import tag_deleting
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import encoded
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.conftest import MakeApp
from tests.support.credentials import log_in
from tests.support.credentials import user_named
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.retention import DAY
from tests.support.retention import HOUR
from tests.support.retention import lay
from tests.support.retention import NAME
from tests.support.retention import pull
from tests.support.retention import push
from tests.support.retention import retain
from tests.support.retention import why
from tests.support.upkeep import later
from tests.support.upkeep import LONG

# Rules


def test_keep_newest_rule_keeps_newest_tags(app: Flask, alice: RegistryClient) -> None:
    """The time of the push counts, not the name."""
    push(alice, "z", "b", "a", "y")
    lay(app, "keep 2 newest", "delete *")
    with later(9 * DAY):
        assert retain(app) == {"y": False, "a": False, "b": True, "z": True}
    assert alice.tags(NAME) == ["a", "y"]


def test_keep_newest_rule_counts_each_pattern_separately(
    app: Flask, alice: RegistryClient
) -> None:
    """Each rule keeps its own number of tags."""
    push(alice, "n-1", "r-1", "n-2", "r-2", "x")
    lay(app, "keep 1 newest of n-*", "keep 1 newest of r-*", "delete ?-*")
    with later(9 * DAY):
        retain(app)
    assert alice.tags(NAME) == ["n-2", "r-2", "x"]


def test_keep_newest_by_version_compares_numbers(
    app: Flask, alice: RegistryClient
) -> None:
    """The order of pushes does not count."""
    push(alice, "v1.10", "v1.9", "v2.0", "v2.0-rc1", "v1.2")
    lay(app, "keep 2 newest of v* by version", "delete *")
    assert why(app, "v1.10")[2] == "no rule keeps it"
    assert why(app, "v2.0-rc1")[2] == "number 2 of the newest tags by version"
    with later(9 * DAY):
        retain(app)
    assert alice.tags(NAME) == ["v2.0", "v2.0-rc1"]


@pytest.mark.parametrize("place", ["config", "annotation", "index"])
def test_keep_newest_by_creation_compares_build_times(
    app: Flask, alice: RegistryClient, place: str
) -> None:
    """The time is in the config or an annotation, of an image or of the first image of
    an index. An image without a time counts from its push."""
    for number, tag in ((3, "c"), (1, "a"), (4, "d"), (2, "b")):
        moment = f"2020-01-0{number}T00:00:00Z"
        fields: dict[str, t.Any] = {}
        if place == "annotation":
            fields["annotations"] = {"org.opencontainers.image.created": moment}
        else:
            fields["config"] = encoded({**json.loads(CONFIG), "created": moment})
        child = alice.push_image(
            NAME, None if place == "index" else tag, tag.encode(), **fields
        )
        if place == "index":
            alice.push_manifest(NAME, index(descriptor(child, OCI_MANIFEST)), tag)
    alice.push_image(NAME, "none", b"none")
    lay(app, "keep 3 newest by creation", "delete *")
    with later(DAY):
        assert why(app, "c")[2] == "number 3 of the newest tags by creation"
        retain(app)
    assert alice.tags(NAME) == ["c", "d", "none"]


def test_tags_of_one_moment_are_ordered_by_version(
    app: Flask, alice: RegistryClient
) -> None:
    """A fast copy may push several tags within the resolution of the clock."""
    with time_machine.travel(datetime(2030, 1, 1, tzinfo=timezone.utc), tick=False):
        for tag in ("1.9", "1.10", "1.8"):
            alice.push_image(NAME, tag, tag.encode())
        lay(app, "keep 1 newest", "delete *")
        retain(app)
        assert alice.tags(NAME) == ["1.10"]


def test_older_than_rule_deletes_unmoved_tag(app: Flask, alice: RegistryClient) -> None:
    """The tag is kept until the last hour."""
    push(alice, "pr-1", "main")
    lay(app, "delete pr-* older than 30 days")
    with later(30 * DAY - HOUR):
        assert retain(app) == {"pr-1": False, "main": False}
    with later(20 * DAY):
        push(alice, "pr-1")
    with later(31 * DAY):
        assert not retain(app)["pr-1"]
    with later(51 * DAY + HOUR):
        assert why(app, "pr-1") == (
            *(True, "delete pr-* older than 30 days"),
            "last pushed or moved 31 days ago",
        )
        retain(app)
        assert alice.tags(NAME) == ["main"]


@pytest.mark.parametrize("part", ["tag", "digest", "child"])
def test_not_pulled_rule_keeps_pulled_tag(
    app: Flask, alice: RegistryClient, part: str
) -> None:
    """A pull by any reference and of any part of the image counts."""
    child = alice.push_image(NAME)
    whole = index(descriptor(child, OCI_MANIFEST))
    alice.push_manifest(NAME, whole, "used")
    push(alice, "unused")
    lay(app, "delete * not pulled for 90 days")
    with later(60 * DAY):
        reference = {
            "tag": "used",
            "digest": digest_of(whole),
            "child": digest_of(child),
        }[part]
        assert pull(alice, reference) == 200
    with later(91 * DAY + HOUR):
        assert why(app, "used")[2] == "last pulled 31 days ago"
        assert retain(app) == {"used": False, "unused": True}
    with later(151 * DAY + HOUR):
        assert retain(app)["used"]


@pytest.mark.parametrize("reference", ["tag", "digest"])
def test_not_pulled_rule_keeps_tag_that_a_client_asks_for(
    app: Flask, alice: RegistryClient, reference: str
) -> None:
    """A client that has the image sends only HEAD: docker at a second pull, and
    containerd. With a token for pushing, a HEAD is not a use."""
    manifest = alice.push_image(NAME, "used")
    alice.push_image(NAME, "compared", layer=b"compared")
    lay(app, "delete * not pulled for 90 days")
    asked = {"tag": "used", "digest": digest_of(manifest)}[reference]
    with later(60 * DAY):
        for actions, tag in (("pull", asked), ("pull,push", "compared")):
            token = log_in(alice, f"repository:{NAME}:{actions}")["token"]
            client = RegistryClient(app, f"Bearer {token}")
            assert client.head(f"/v2/{NAME}/manifests/{tag}").status_code == 200
    with later(91 * DAY + HOUR):
        assert why(app, "used")[2] == "last pulled 31 days ago"
        assert retain(app) == {"used": False, "compared": True}


def test_rule_with_two_conditions_needs_both(app: Flask, alice: RegistryClient) -> None:
    """The tag has to be old and unpulled."""
    push(alice, "v1")
    lay(app, "delete * older than 10 days and not pulled for 5 days")
    with later(10 * DAY):
        pull(alice, "v1")
    with later(14 * DAY):
        assert not retain(app)["v1"]
    with later(16 * DAY):
        assert retain(app)["v1"]


def test_tag_without_matching_rule_is_kept(app: Flask, alice: RegistryClient) -> None:
    """Without a rule, no tag is deleted."""
    push(alice, "v1")
    manifest = alice.push_image(NAME, layer=b"loose")
    with later(999 * DAY):
        assert retain(app) == {"v1": False, digest_of(manifest): False}
        lay(app, "delete pr-*")
        assert why(app, "v1") == (False, None, "no rule deletes it")


def test_keep_rule_overrides_delete_rule(app: Flask, alice: RegistryClient) -> None:
    """The order of the rules does not matter."""
    push(alice, "v1", "v2")
    lay(app, "delete *", "keep v1")
    assert why(app, "v1") == (False, "keep v1", "the rule keeps all matching tags")
    assert retain(app) == {"v1": False, "v2": True}


# Precedence of rules


def test_rules_of_repository_replace_those_of_owner_and_site(make_app: MakeApp) -> None:
    """The rules of the repository apply, or else those of its owner, or else the
    configuration."""
    app = make_app(OCI_RETENTION=["delete site"])
    alice = RegistryClient.of(app, "alice")
    names = ("alice/own", "alice/owners", "bob/site")
    clients = {"alice": alice, "bob": RegistryClient.of(app, "bob")}
    for name in names:
        push(clients[name.partition("/")[0]], "own", "owner", "site", name=name)
    lay(app, "delete own", name="alice/own")
    with app.app_context():
        registry.retention.set(["delete owner"], owner=user_named("alice"))
    retain(app)
    left = [clients[n.partition("/")[0]].tags(n) for n in names]
    assert left == [["owner", "site"], ["own", "site"], ["own", "owner"]]
    lay(app, "keep *", name="alice/own")
    with app.app_context():
        registry.retention.set(["delete *"], owner=user_named("alice"))
    retain(app)
    assert alice.tags("alice/own") == ["owner", "site"]
    assert alice.tags("alice/owners") == []


# Kept tags


def test_protected_and_immutable_tags_are_kept(
    app: Flask, alice: RegistryClient
) -> None:
    """No rule deletes them."""
    push(alice, "v1", "r1", "x")
    lay(app, "delete *")
    with app.app_context():
        registry.tag_protection.set(repository=NAME, protected=["v*"], immutable=["r*"])
    assert why(app, "v1") == (False, None, "protected by 'v*'")
    retain(app)
    assert alice.tags(NAME) == ["r1", "v1"]


def test_exempt_tag_is_kept(
    app: Flask, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry calls the host's function at the time of the deletion."""
    asked: list[tuple[str, str, str]] = []

    def released(repository: RepositoryInfo, tag: str, digest: str) -> bool:
        asked.append((repository.name, tag, digest))
        return tag == "v1"

    push(alice, "v1", "v2")
    digest = digest_of(alice.get(f"/v2/{NAME}/manifests/v1").data)
    monkeypatch.setattr(app.extensions["oci"].hooks, "retention_exempt", None)
    registry.retention_exempt(released)
    lay(app, "delete *")
    assert why(app, "v1") == (False, None, "exempted by the application")
    assert (NAME, "v1", digest) in asked
    assert retain(app) == {"v1": False, "v2": True}


def test_receiver_that_refuses_keeps_tag(app: Flask, alice: RegistryClient) -> None:
    """The verdict has its reason, and the other tags are deleted."""
    push(alice, "v1", "v2")
    lay(app, "delete *")

    def veto(_sender: object, change: t.Any) -> None:
        if change.tag == "v1":
            raise Denied("It is deployed.")

    with tag_deleting.connected_to(veto), app.app_context():
        found = {row.tag: row for row in registry.apply_retention()}
    assert (found["v1"].deleted, found["v1"].reason) == (False, "It is deployed.")
    assert alice.tags(NAME) == ["v1"]


def test_index_and_children_are_one_image(app: Flask, alice: RegistryClient) -> None:
    """The children are kept and deleted with the index."""
    children = [alice.push_image(NAME, layer=bytes([n])) for n in range(3)]
    whole = index(*(descriptor(child, OCI_MANIFEST) for child in children))
    alice.push_manifest(NAME, whole, "v1")
    push(alice, "v2")
    lay(app, "keep 2 newest", "delete *", "delete untagged after 1 day")
    with later(30 * DAY):
        assert retain(app) == {"v1": False, "v2": False}
        lay(app, "keep v2", "delete *", "delete untagged after 1 day")
        assert retain(app)["v1"]
    with later(60 * DAY):
        gone = {digest for digest, deleted in retain(app).items() if deleted}
        assert gone == {*map(digest_of, children), digest_of(whole)}
        assert pull(alice, digest_of(whole)) == 404
        assert pull(alice, "v2") == 200


def test_signature_is_kept_and_deleted_with_its_image(
    app: Flask, alice: RegistryClient
) -> None:
    """This covers signatures by subject and by tag. They do not count among the
    newest."""
    subject = alice.push_image(NAME, "v1")
    by_tag = digest_of(subject).replace(":", "-") + ".sig"
    with later(DAY):
        signature = alice.push_image(
            NAME, layer=b"sig", subject=descriptor(subject, OCI_MANIFEST)
        )
        alice.push_image(NAME, by_tag, layer=b"cosign")
    lay(app, "keep 1 newest", "delete *", "delete untagged after 7 days")
    with later(30 * DAY):
        assert why(app, by_tag)[2] == f"attached to {digest_of(subject)}"
        assert not any(retain(app).values())
        push(alice, "v2")
        assert retain(app)["v1"]
        assert pull(alice, digest_of(signature)) == 200
    for day in (45, 60, 75):
        with later(day * DAY):
            retain(app)
    assert pull(alice, digest_of(subject)) == 404
    assert pull(alice, digest_of(signature)) == 404
    assert alice.tags(NAME) == ["v2"]


@pytest.mark.options(oci_undo_period=None)
def test_untagged_manifest_is_deleted_after_period(
    app: Flask, alice: RegistryClient
) -> None:
    """It is never deleted within the grace period."""
    push(alice, "v1")
    digest = digest_of(alice.get(f"/v2/{NAME}/manifests/v1").data)
    lay(app, "delete untagged after 1 day")
    with later(30 * DAY):
        push(alice, "v1x")
        alice.delete(f"/v2/{NAME}/manifests/v1")
        assert retain(app) == {"v1x": False, digest: False}
    with later(31 * DAY):
        assert not retain(app)[digest]
    with later(30 * DAY + LONG):
        assert retain(app)[digest]
        assert pull(alice, digest) == 404
