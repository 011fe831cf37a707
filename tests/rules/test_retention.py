"""Rules by which tags and manifests go, and what stays whatever they say."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci import Denied
from flask_oci import RepositoryInfo
from flask_oci.config import ConfigError
from flask_oci.rules.retention import parse
from flask_oci.signals import audited
from flask_oci.signals import tag_deleting
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.conftest import MakeApp
from tests.support.credentials import user_named
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep
from tests.support.visitor import Page
from tests.support.visitor import Visitor

NAME = "alice/app"
PAGE = f"/images/{NAME}"
DAY = timedelta(days=1)
#: Not every database knows moments to less than a second.
HOUR = timedelta(hours=1)


@pytest.fixture(name="keeper")
def _keeper(app: Flask) -> Upkeep:
    """Somebody who types."""
    return Upkeep(app)


def lay(app: Flask, *rules: str, name: str = NAME) -> None:
    """Lay rules down for a repository."""
    with app.app_context():
        registry.retention.set(rules, repository=name)


def retain(app: Flask, *, dry_run: bool = False) -> dict[str, bool]:
    """Apply the rules, and return which tags, or digests, went and which did not."""
    with app.app_context():
        found = registry.apply_retention(dry_run=dry_run)
    return {row.tag or row.digest: row.deleted for row in found}


def why(app: Flask, tag: str, name: str = NAME) -> tuple[bool, str | None, str]:
    """Return what would become of a tag, by which rule, and why."""
    with app.app_context():
        (row,) = (
            r for r in registry.apply_retention([name], dry_run=True) if r.tag == tag
        )
    return row.deleted, row.rule, row.reason


def push(client: RegistryClient, *tags: str, name: str = NAME) -> None:
    """Push an image of its own under each tag, one a day."""
    for number, tag in enumerate(tags):
        with later(number * DAY):
            client.push_image(name, tag, layer=f"layer of {tag}".encode())


def pull(client: RegistryClient, reference: str) -> int:
    """Pull, and return the status."""
    return client.get(f"/v2/{NAME}/manifests/{reference}").status_code


# Rules


def test_the_newest_stay(app: Flask, alice: RegistryClient) -> None:
    """So many of the newest stay, by when they were pushed and not by their names."""
    push(alice, "z", "b", "a", "y")
    lay(app, "keep 2 newest", "delete *")
    with later(9 * DAY):
        assert retain(app) == {"y": False, "a": False, "b": True, "z": True}
    assert alice.tags(NAME) == ["a", "y"]


def test_the_newest_of_a_pattern(app: Flask, alice: RegistryClient) -> None:
    """Each pattern is counted by itself."""
    push(alice, "n-1", "r-1", "n-2", "r-2", "x")
    lay(app, "keep 1 newest of n-*", "keep 1 newest of r-*", "delete ?-*")
    with later(9 * DAY):
        retain(app)
    assert alice.tags(NAME) == ["n-2", "r-2", "x"]


def test_by_age(app: Flask, alice: RegistryClient) -> None:
    """A tag goes when it has not moved for so long, and not an hour before."""
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
            "it was last pushed, or moved, 31 days ago",
        )
        retain(app)
        assert alice.tags(NAME) == ["main"]


@pytest.mark.parametrize("part", ["tag", "digest", "child"])
def test_by_pulls(app: Flask, alice: RegistryClient, part: str) -> None:
    """What is pulled stays, by whatever name, and whichever part of it."""
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
        assert why(app, "used")[2] == "it was last pulled 31 days ago"
        assert retain(app) == {"used": False, "unused": True}
    with later(151 * DAY + HOUR):
        assert retain(app)["used"]


def test_both_conditions(app: Flask, alice: RegistryClient) -> None:
    """A rule with two conditions needs both."""
    push(alice, "v1")
    lay(app, "delete * older than 10 days and not pulled for 5 days")
    with later(10 * DAY):
        pull(alice, "v1")
    with later(14 * DAY):
        assert not retain(app)["v1"]
    with later(16 * DAY):
        assert retain(app)["v1"]


def test_what_no_rule_deletes_stays(app: Flask, alice: RegistryClient) -> None:
    """Without a word, nothing goes."""
    push(alice, "v1")
    manifest = alice.push_image(NAME, layer=b"loose")
    with later(999 * DAY):
        assert retain(app) == {"v1": False, digest_of(manifest): False}
        lay(app, "delete pr-*")
        assert why(app, "v1") == (False, None, "no rule deletes it")


def test_keeping_wins(app: Flask, alice: RegistryClient) -> None:
    """A rule that keeps has the last word, wherever it stands."""
    push(alice, "v1", "v2")
    lay(app, "delete *", "keep v1")
    assert why(app, "v1") == (False, "keep v1", "it is to be kept")
    assert retain(app) == {"v1": False, "v2": True}


# Whose rules


def test_the_nearest_rules_count(make_app: MakeApp) -> None:
    """A repository's own rules, or else its owner's, or else the site's."""
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


# What stays


def test_protected_tags_stay(app: Flask, alice: RegistryClient) -> None:
    """No rule deletes what is protected, or immutable."""
    push(alice, "v1", "r1", "x")
    lay(app, "delete *")
    with app.app_context():
        registry.tag_protection.set(repository=NAME, protected=["v*"], immutable=["r*"])
    assert why(app, "v1") == (False, None, "it is protected by 'v*'")
    retain(app)
    assert alice.tags(NAME) == ["r1", "v1"]


def test_what_is_released_stays(
    app: Flask, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host knows which images belong to a release, and is asked at the time."""
    asked: list[tuple[str, str, str]] = []

    def released(repository: RepositoryInfo, tag: str, digest: str) -> bool:
        asked.append((repository.name, tag, digest))
        return tag == "v1"

    push(alice, "v1", "v2")
    digest = digest_of(alice.get(f"/v2/{NAME}/manifests/v1").data)
    monkeypatch.setattr(app.extensions["oci"].hooks, "released", None)
    registry.retention_exempt(released)
    lay(app, "delete *")
    assert why(app, "v1") == (False, None, "it is released, as the site says")
    assert (NAME, "v1", digest) in asked
    assert retain(app) == {"v1": False, "v2": True}


def test_a_receiver_refuses(app: Flask, alice: RegistryClient) -> None:
    """What a receiver of the host's refuses stays, with its reason, and the rest
    goes."""
    push(alice, "v1", "v2")
    lay(app, "delete *")

    def veto(_sender: object, change: t.Any) -> None:
        if change.tag == "v1":
            raise Denied("It is deployed.")

    with tag_deleting.connected_to(veto), app.app_context():
        found = {row.tag: row for row in registry.apply_retention()}
    assert (found["v1"].deleted, found["v1"].reason) == (False, "It is deployed.")
    assert alice.tags(NAME) == ["v1"]


def test_indexes_are_one_image(app: Flask, alice: RegistryClient) -> None:
    """The children of an index are no images of their own: they stay and go with
    it."""
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


def test_signatures_follow(app: Flask, alice: RegistryClient) -> None:
    """Signatures, by subject or by tag, stay with what they sign and then go with
    it, and are not counted among the newest."""
    subject = alice.push_image(NAME, "v1")
    by_tag = digest_of(subject).replace(":", "-") + ".sig"
    with later(DAY):
        signature = alice.push_image(
            NAME, layer=b"sig", subject=descriptor(subject, OCI_MANIFEST)
        )
        alice.push_image(NAME, by_tag, layer=b"cosign")
    lay(app, "keep 1 newest", "delete *", "delete untagged after 7 days")
    with later(30 * DAY):
        assert why(app, by_tag)[2] == f"it belongs to {digest_of(subject)}"
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


@pytest.mark.options(oci_undo_window=None)
def test_untagged(app: Flask, alice: RegistryClient) -> None:
    """A manifest goes so long after it lost its tag, and never within the grace
    period."""
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


# Undo


@pytest.mark.options(oci_untagged_lifetime=1)
def test_what_went_can_be_put_back(
    app: Flask, alice: RegistryClient, keeper: Upkeep
) -> None:
    """For a week, whoever may push puts a deleted tag back, and no collection is in
    the way; after that, it is gone."""
    push(alice, "v1", "v2")
    lay(app, "delete *", "delete untagged after 1 day")
    with later(30 * DAY):
        assert retain(app) == {"v1": True, "v2": True}
    with later(36 * DAY):
        # Both of them would go by now.
        assert not any(deleted for deleted in retain(app).values())
        assert keeper.gc()["manifests"] == []
        lay(app, "keep *")
        page = Visitor(app, "alice").get(f"{PAGE}/-/history")
        assert "Put it back" in page.html
        put_back(app, "v1")
        response = alice.get(f"/v2/{NAME}/manifests/v1")
        assert response.status_code == 200
        (layer,) = response.get_json()["layers"]
        assert alice.get(f"/v2/{NAME}/blobs/{layer['digest']}").data == b"layer of v1"
    with later(37 * DAY + HOUR):
        assert len(keeper.gc()["manifests"]) == 1


def put_back(app: Flask, tag: str) -> None:
    """Undo the last move of a tag on the page."""
    Move = registry.models.TagMove
    with app.app_context():
        move = db.session.scalar(
            sa.select(sa.func.max(Move.id)).where(Move.name == tag)
        )
    page = Visitor(app, "alice").send(f"{PAGE}/-/history", move=str(move))
    assert page.status == 302


@pytest.mark.options(oci_untagged_lifetime=1)
def test_what_a_moved_tag_left(
    app: Flask, alice: RegistryClient, keeper: Upkeep
) -> None:
    """What a tag pointed at before somebody moved it is spared as long."""
    push(alice, "v1")
    before = digest_of(alice.get(f"/v2/{NAME}/manifests/v1").data)
    with later(30 * DAY):
        alice.push_image(NAME, "v1", layer=b"another")
    with later(36 * DAY):
        assert keeper.gc()["manifests"] == []
        explained = keeper.run("gc", "--explain", before).output
        assert "untagged; a deleted tag can be restored until" in explained
        put_back(app, "v1")
        assert pull(alice, before) == 200


# Running it


def test_what_was_pushed_meanwhile(app: Flask, alice: RegistryClient) -> None:
    """It is decided when it is done: what was pushed after a preview stays."""
    push(alice, "v1")
    lay(app, "delete * older than 10 days")
    with later(20 * DAY):
        assert retain(app, dry_run=True) == {"v1": True}
        assert alice.tags(NAME) == ["v1"]
        push(alice, "v1")
        assert retain(app) == {"v1": False}


def test_it_is_told(app: Flask, alice: RegistryClient) -> None:
    """Who answers for it later finds each tag in the audit, with the rule."""
    push(alice, "v1")
    lay(app, "delete v1")
    events: list[t.Any] = []

    def hear(_app: Flask, event: t.Any) -> None:
        events.append(event)

    with audited.connected_to(hear):
        retain(app, dry_run=True)
        assert events == []
        retain(app)
    (event,) = events
    assert (event.action, event.actor, event.repository) == ("delete", None, NAME)
    assert event.detail == {"reference": "v1", "rule": "delete v1"}


def test_the_command(app: Flask, alice: RegistryClient, keeper: Upkeep) -> None:
    """What is typed is listed, previewed, done and taken back."""
    push(alice, "v1", "pr-1")
    rules = ("keep 1 newest of v*", "delete *")
    done = keeper.run("retention", "set", "--repository", NAME, *rules)
    assert done.exit_code == 0, done.output
    listed = json.loads(keeper.run("retention", "list", "--json").output)
    assert listed[1:] == [{"repository": NAME, "owner": None, "rules": [*rules]}]
    assert "delete *" in keeper.run("retention", "list").output
    previewed = keeper.run("retention", "preview", NAME).output
    assert "it is number 1 of the newest" in previewed
    assert "no rule keeps it" in previewed
    dry = json.loads(keeper.run("retention", "run", "--dry-run", "--json").output)
    assert [row["tag"] for row in dry] == ["pr-1"]
    assert alice.tags(NAME) == ["pr-1", "v1"]
    assert "1 tags and 0 manifests went." in keeper.run("retention", "run").output
    assert alice.tags(NAME) == ["v1"]
    assert keeper.run("retention", "unset", "--repository", NAME).exit_code == 0
    assert keeper.run("retention", "unset", "--repository", NAME).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("set", "--repository", NAME, "delete everything now"), 1, "is no rule"),
        (("set", "--repository", NAME, "keep v*"), 1, "delete none"),
        (("set", "--repository", NAME), 2, "RULE"),
        (("set", "delete *"), 2, "--repository or --owner"),
        (("set", "--repository", "alice/none", "delete *"), 1, "no repository"),
        (("run", "alice/none"), 1, "no repository"),
        (("preview", "alice/none"), 1, "no repository"),
    ],
)
def test_what_cannot_be_typed(
    app: Flask,
    alice: RegistryClient,
    keeper: Upkeep,
    arguments: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    """What makes no sense is refused with a word that helps, and nothing goes."""
    push(alice, "v1")
    done = keeper.run("retention", *arguments)
    assert (done.exit_code, said in done.output) == (status, True), done.output
    assert alice.tags(NAME) == ["v1"]


@pytest.mark.parametrize(
    "text",
    [
        "delete",
        "keep",
        "keep 0 newest",
        "delete * older than 0 days",
        "delete * older than x days",
        "delete * older than 999999 days",
        "delete untagged",
        "delete untagged after 1.5 days",
        "delete a b",
        "delete v[1]",
        "DELETE *",
        "delete \u0661",
        f"delete {'x' * 129}",
    ],
)
def test_what_is_no_rule(make_app: MakeApp, text: str) -> None:
    """A sentence that cannot be followed is refused, in the configuration as well."""
    with pytest.raises(ValueError, match="is no rule"):
        parse([text])
    with pytest.raises(ConfigError, match="OCI_RETENTION must be a list of rules"):
        make_app(OCI_RETENTION=[text])


# The page


def test_on_the_page(app: Flask, alice: RegistryClient) -> None:
    """Who may manage a repository is shown what would go, before it is saved and
    after."""
    push(alice, "v1", "pr-1")
    visitor, address = Visitor(app, "alice"), f"{PAGE}/-/settings/retention"
    page = visitor.send(address, rules="keep v*\r\ndelete *")
    assert "Save these rules?" in page.text
    assert "1 tag or image goes" in page.text
    assert shown(page) == [("pr-1", "goes"), ("v1", "stays")]
    assert "nothing" not in visitor.get(f"{PAGE}/-/settings").field("oci_form")
    with app.app_context():
        assert registry.retention.get(repository=NAME) == ()
    assert visitor.follow_form(page).status == 302
    with app.app_context():
        assert registry.retention.get(repository=NAME) == ("keep v*", "delete *")
    page = visitor.get(address)
    assert "1 tag or image would go now" in page.text
    assert shown(page) == [("pr-1", "goes"), ("v1", "stays")]
    assert "keep v* delete *" in visitor.get(f"{PAGE}/-/settings").text
    page = visitor.send(address, rules="delete <x> y")
    assert page.status == 422
    assert "'delete <x> y' is no rule." in page.text
    assert visitor.send(address, rules=" ").status == 302
    with app.app_context():
        assert registry.retention.list() == []
    assert alice.tags(NAME) == ["pr-1", "v1"]


def shown(page: Page) -> list[tuple[str, str]]:
    """Return the tags of a page, and what becomes of each."""
    words = page.text.split()
    return [
        (words[i - 1], word)
        for i, word in enumerate(words)
        if word in ("goes", "stays") and words[i - 1] in ("v1", "pr-1")
    ]


def test_the_page_is_for_who_manages(app: Flask, alice: RegistryClient) -> None:
    """Others are not shown the verdicts."""
    push(alice, "v1")
    with app.app_context():
        registry.repositories.set_visibility(NAME, "public")
    for who in ("bob", None):
        assert Visitor(app, who).status(f"{PAGE}/-/settings/retention") == 403
