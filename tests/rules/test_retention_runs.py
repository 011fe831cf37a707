"""Retention runs: undo, commands and pages."""

from __future__ import annotations

import json
import typing as t

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci.config import ConfigError
from flask_oci.rules.retention_rules import parse
from flask_oci.signals import audited
from flask_oci.testing.manifests import digest_of
from tests.conftest import MakeApp
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.retention import DAY
from tests.support.retention import HOUR
from tests.support.retention import lay
from tests.support.retention import NAME
from tests.support.retention import PAGE
from tests.support.retention import pull
from tests.support.retention import push
from tests.support.retention import retain
from tests.support.upkeep import later
from tests.support.upkeep import Upkeep
from tests.support.visitor import Page
from tests.support.visitor import Visitor


@pytest.fixture(name="keeper")
def _keeper(app: Flask) -> Upkeep:
    """The command line."""
    return Upkeep(app)


# Undo


@pytest.mark.options(oci_untagged_lifetime=1)
def test_deleted_tag_can_be_restored_within_undo_period(
    app: Flask, alice: RegistryClient, keeper: Upkeep
) -> None:
    """A user who may push can restore it for a week, and no collection deletes its
    manifest before."""
    push(alice, "v1", "v2")
    lay(app, "delete *", "delete untagged after 1 day")
    with later(30 * DAY):
        assert retain(app) == {"v1": True, "v2": True}
    with later(36 * DAY):
        # A run would delete both of them now.
        assert not any(deleted for deleted in retain(app).values())
        assert keeper.gc()["manifests"] == []
        lay(app, "keep *")
        page = Visitor(app, "alice").get(f"{PAGE}/-/history")
        assert "Restore" in page.html
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
def test_former_manifest_of_moved_tag_is_kept_within_undo_period(
    app: Flask, alice: RegistryClient, keeper: Upkeep
) -> None:
    """It is kept as long as the manifest of a deleted tag."""
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


def test_tag_pushed_after_preview_is_kept(app: Flask, alice: RegistryClient) -> None:
    """The run decides again in its own transaction."""
    push(alice, "v1")
    lay(app, "delete * older than 10 days")
    with later(20 * DAY):
        assert retain(app, dry_run=True) == {"v1": True}
        assert alice.tags(NAME) == ["v1"]
        push(alice, "v1")
        assert retain(app) == {"v1": False}


def test_run_is_in_the_audit_log(app: Flask, alice: RegistryClient) -> None:
    """The log has an entry for each deleted tag, with the rule."""
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


def test_retention_command_sets_previews_runs_and_unsets_rules(
    app: Flask, alice: RegistryClient, keeper: Upkeep
) -> None:
    """This is the whole use of the command."""
    push(alice, "v1", "pr-1")
    rules = ("keep 1 newest of v*", "delete *")
    done = keeper.run("retention", "set", "--repository", NAME, *rules)
    assert done.exit_code == 0, done.output
    listed = json.loads(keeper.run("retention", "list", "--json").output)
    scope = {"repository": NAME, "owner": None, "path": None}
    assert listed[1:] == [{**scope, "rules": [*rules]}]
    assert "delete *" in keeper.run("retention", "list").output
    previewed = keeper.run("retention", "preview", NAME).output
    assert "number 1 of the newest tags" in previewed
    assert "no rule keeps it" in previewed
    dry = json.loads(keeper.run("retention", "run", "--dry-run", "--json").output)
    assert [row["tag"] for row in dry] == ["pr-1"]
    assert alice.tags(NAME) == ["pr-1", "v1"]
    assert "Deleted 1 tag and 0 manifests." in keeper.run("retention", "run").output
    assert alice.tags(NAME) == ["v1"]
    assert keeper.run("retention", "unset", "--repository", NAME).exit_code == 0
    lay(app, "delete v1 older than 300 days")
    assert "keep until 2" in keeper.run("retention", "preview", NAME).output
    assert keeper.run("retention", "unset", "--repository", NAME).exit_code == 0
    assert keeper.run("retention", "unset", "--repository", NAME).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("set", "--repository", NAME, "delete everything now"), 1, "Invalid rule"),
        (("set", "--repository", NAME, "keep v*"), 1, "delete none"),
        (("set", "--repository", NAME), 2, "RULE"),
        (("set", "delete *"), 2, "--repository or --owner"),
        (("set", "--repository", "alice/none", "delete *"), 1, "no repository"),
        (("run", "alice/none"), 1, "no repository"),
        (("preview", "alice/none"), 1, "no repository"),
    ],
)
def test_retention_command_with_invalid_input_fails(
    app: Flask,
    alice: RegistryClient,
    keeper: Upkeep,
    arguments: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    """The message helps, and no tag is deleted."""
    push(alice, "v1")
    done = keeper.run("retention", *arguments)
    assert (done.exit_code, said in done.output) == (status, True), done.output
    assert alice.tags(NAME) == ["v1"]


@pytest.mark.sqlite_only
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
def test_invalid_rule_is_refused(make_app: MakeApp, text: str) -> None:
    """The configuration refuses it as well."""
    with pytest.raises(ValueError, match="Invalid rule"):
        parse([text])
    with pytest.raises(ConfigError, match="OCI_RETENTION must be a list of rules"):
        make_app(OCI_RETENTION=[text])


# The page


def test_settings_page_previews_rules(app: Flask, alice: RegistryClient) -> None:
    """A user who may manage a repository sees the verdicts before and after saving."""
    push(alice, "v1", "pr-1")
    visitor, address = Visitor(app, "alice"), f"{PAGE}/-/settings/retention"
    page = visitor.send(address, rules="keep v*\r\ndelete *")
    assert "Save these rules?" in page.text
    assert "1 tag or image would be deleted" in page.text
    assert shown(page) == [("pr-1", "delete"), ("v1", "keep")]
    assert "nothing" not in visitor.get(f"{PAGE}/-/settings").field("oci_form")
    with app.app_context():
        assert registry.retention.get(repository=NAME) == ()
    assert visitor.follow_form(page).status == 302
    with app.app_context():
        assert registry.retention.get(repository=NAME) == ("keep v*", "delete *")
    page = visitor.get(address)
    assert "1 tag or image would be deleted now" in page.text
    assert shown(page) == [("pr-1", "delete"), ("v1", "keep")]
    none = visitor.send(address, rules="keep *")
    assert "If they were applied now, nothing would be deleted." in none.text
    assert "restored" not in none.text
    assert "keep v* delete *" in visitor.get(f"{PAGE}/-/settings").text
    page = visitor.send(address, rules="delete <x> y")
    assert page.status == 422
    assert "Invalid rule 'delete <x> y'." in page.text
    assert visitor.send(address, rules=" ").status == 302
    with app.app_context():
        assert registry.retention.list() == []
    assert alice.tags(NAME) == ["pr-1", "v1"]


def shown(page: Page) -> list[tuple[str, str]]:
    """Return the tags of a page and their verdicts."""
    words = page.text.split()
    return [
        (words[i - 1], word)
        for i, word in enumerate(words)
        if word in ("delete", "keep") and words[i - 1] in ("v1", "pr-1")
    ]


def test_verdicts_are_hidden_from_other_users(
    app: Flask, alice: RegistryClient
) -> None:
    """Only users who may manage the repository see them."""
    push(alice, "v1")
    with app.app_context():
        registry.repositories.set_visibility(NAME, "public")
    for who in ("bob", None):
        assert Visitor(app, who).status(f"{PAGE}/-/settings/retention") == 403
