"""`flask oci`: commands that list, show and delete, on the example forge."""

from __future__ import annotations

import json
import typing as t

import pytest
from click.testing import Result
from flask import Flask

from flask_oci import Denied
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.manifests import UNKNOWN
from tests.conftest import MakeApp
from tests.support.command_line import Terminal
from tests.support.registry_client import RegistryClient

CONFIG = (
    rb'{"os":"linux","architecture":"arm64","config":{"Cmd":["/bin/sh"],'
    rb'"Labels":{"maker":"\u001b[2Jalice"}}}'
)
LAYER = b"a layer that two repositories have"
SBOM = "application/spdx+json"


@pytest.fixture(name="terminal", scope="module")
def _terminal(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Terminal]:
    """An example forge with an image, an index, an SBOM, and a copy in another
    repository."""
    terminal = Terminal(tmp_path_factory.mktemp("forge"))
    alice = terminal.alice
    manifest = alice.push_image("alice/app", "1.0", LAYER, config=CONFIG)
    child = descriptor(
        manifest, OCI_MANIFEST, platform={"os": "linux", "architecture": "arm64"}
    )
    alice.push_manifest("alice/app", index(child), "latest")
    subject = descriptor(manifest, OCI_MANIFEST)
    sbom = image(LAYER, config=CONFIG, artifactType=SBOM, subject=subject)
    alice.push_manifest("alice/app", sbom)
    alice.push_image("alice/tools/app", "2.0", LAYER, config=CONFIG)
    yield terminal
    terminal.close()


MANIFEST = image(LAYER, config=CONFIG)
DIGEST = digest_of(MANIFEST)


def test_repositories_lists_each_repository_with_its_size(terminal: Terminal) -> None:
    """The filters limit the list."""
    listed = terminal.json("repositories")
    assert [r["name"] for r in listed] == ["alice/app", "alice/tools/app"]
    assert {key: listed[0][key] for key in ("owner", "visibility", "tags")} == {
        "owner": "alice",
        "visibility": "private",
        "tags": 2,
    }
    assert listed[0]["bytes"] == len(LAYER) + len(CONFIG)
    assert (listed[0]["kinds"], listed[0]["platforms"]) == (["image"], ["linux/arm64"])
    largest = terminal.json("repositories", "--sort", "size")
    assert {row["name"] for row in largest} == {row["name"] for row in listed}
    printed = terminal.say("repositories", "alice/tools")
    assert printed.splitlines()[0].startswith("REPOSITORY")
    assert "alice/tools/app   alice" in printed
    assert "alice/app" not in printed
    assert terminal.say("repositories", "--owner", "bob") == ""


def test_tags_lists_each_tag_with_its_manifest(terminal: Terminal) -> None:
    """The list has digests and sizes."""
    listed = terminal.json("tags", "alice/app")
    assert {row["tag"]: row["digest"] for row in listed} == {
        "1.0": DIGEST,
        "latest": digest_of(index(terminal_child())),
    }
    assert [row["platforms"] for row in listed] == [["linux/arm64"]] * 2
    assert listed[0]["attached"] == ["SBOM"]
    assert f"1.0      {DIGEST}" in terminal.say("tags", "alice/app")


def terminal_child() -> dict[str, t.Any]:
    platform = {"os": "linux", "architecture": "arm64"}
    return descriptor(MANIFEST, OCI_MANIFEST, platform=platform)


def test_show_of_an_image_prints_config_layers_and_referrers(
    terminal: Terminal,
) -> None:
    """Sizes are shown, too."""
    found = terminal.json("show", "alice/app:1.0")
    assert (found["digest"], found["tags"], found["kind"]) == (DIGEST, ["1.0"], "Image")
    assert found["config"]["config"]["Cmd"] == ["/bin/sh"]
    assert [(row["digest"], row["size"]) for row in found["layers"]] == [
        (digest_of(LAYER), len(LAYER))
    ]
    assert [row["artifact_type"] for row in found["referrers"]] == [SBOM]
    assert found["bytes"] == len(CONFIG) + len(LAYER)
    printed = terminal.say("show", f"alice/app@{DIGEST}")
    assert "Platform:      linux/arm64" in printed
    assert digest_of(LAYER) in printed
    assert f"SBOM   {found['referrers'][0]['digest']}   {SBOM}" in printed
    # The user who pushed the label must not control the terminal.
    assert "maker=?[2Jalice" in printed


def test_show_of_an_index_and_a_repository_prints_their_parts(
    terminal: Terminal,
) -> None:
    """Platforms, and totals."""
    assert f"linux/arm64   {DIGEST}" in terminal.say("show", "alice/app:latest")
    assert "Tags:          2" in terminal.say("show", "alice/app")


def test_usage_counts_shared_blobs_once_in_the_total(terminal: Terminal) -> None:
    """They also count once for each repository."""
    found = terminal.json("usage")
    held = len(LAYER) + len(CONFIG)
    assert found["total"] == {"repositories": 2, "blobs": 2, "bytes": held}
    assert found["owners"] == [{"owner": "alice", "bytes": held}]
    assert [(r["name"], r["bytes"], r["alone"]) for r in found["repositories"]] == [
        ("alice/app", held, 0),
        ("alice/tools/app", held, 0),
    ]
    assert found["collectable"] == {"blobs": 0, "bytes": 0}
    printed = terminal.say("usage", "--limit", "1")
    assert "alice/app" in printed
    assert "alice/tools/app" not in printed


def test_who_can_evaluates_the_policy_of_the_host(terminal: Terminal) -> None:
    """For users and for anonymous clients."""
    everything = ["pull", "push", "delete", "manage"]
    alone = [{"user": "alice", "actions": everything}]
    assert json.loads(terminal.say("who-can", "alice/app", "--json")) == alone
    terminal.say("who-can", "alice/app", "--user", "bob", status=1)
    terminal.say("visibility", "alice/tools/app", "public")
    assert terminal.json("who-can", "alice/tools/app", "--action", "pull") == [
        {"user": None, "actions": ["pull"]},
        {"user": "alice", "actions": everything},
        {"user": "bob", "actions": ["pull"]},
    ]
    bob = terminal.client("bob", "builder")
    assert bob.tags("alice/tools/app") == ["2.0"]
    assert "(anonymous)   yes    -" in terminal.say("who-can", "alice/tools/app")


def test_delete_after_confirmation_deletes_tag_manifest_or_repository(
    tmp_path: t.Any,
) -> None:
    """A tag is deleted without its manifest, a manifest with its tags."""
    terminal = Terminal(tmp_path)
    alice = terminal.alice
    for tag in ("1.0", "2.0", "3.0"):
        alice.push_image("alice/app", tag, LAYER, config=CONFIG)
    asked = terminal.run("delete", "alice/app:1.0", typed=b"n\n", status=1)
    assert b"Delete the tag 1.0" in asked.stderr
    assert alice.tags("alice/app") == ["1.0", "2.0", "3.0"]
    terminal.run("delete", "alice/app:1.0", typed=b"y\n")
    assert alice.tags("alice/app") == ["2.0", "3.0"]
    terminal.say("delete", f"alice/app@{DIGEST}", "--yes")
    assert alice.tags("alice/app") == []
    assert alice.head(f"/v2/alice/app/manifests/{DIGEST}").status_code == 404
    alice.push_image("alice/app", "1.0", LAYER, config=CONFIG)
    terminal.say("delete", "alice/app", "--yes")
    assert alice.get("/v2/alice/app/tags/list").status_code == 404
    terminal.close()


# Failures


Run = t.Callable[..., Result]


@pytest.fixture(name="run")
def _run(app: Flask) -> Run:
    """Run `flask oci`; it succeeds or prints an error."""
    runner = app.test_cli_runner()

    def run(*arguments: str, **kwargs: t.Any) -> Result:
        result = runner.invoke(args=["oci", *arguments], **kwargs)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "alice/none"], "There is no repository with that name"),
        (["show", "alice/app:none"], "'flask oci tags' lists"),
        (["show", f"alice/app@{UNKNOWN}"], "There is no such tag"),
        (["show", "alice/app@sha256:1"], "digest"),
        (["show", "Alice/App"], "repository name"),
        (["tags", "alice/none"], "There is no repository with that name"),
        (["delete", "alice/none", "--yes"], "There is no repository with that name"),
        (["delete", "alice/app:none", "--yes"], "There is no such tag"),
        (["delete", f"alice/app@{DIGEST}", "--yes"], "is needed by"),
        (["repositories", "--owner", "nobody"], "There is no user nobody."),
        (["usage", "--owner", "nobody"], "There is no user nobody."),
        (["who-can", "alice/app", "--user", "nobody"], "There is no user nobody."),
        (["who-can", "Alice"], "repository name"),
    ],
)
def test_command_with_invalid_arguments_fails(
    run: Run, alice: RegistryClient, arguments: list[str], message: str
) -> None:
    """It prints the reason, no output for scripts, and exits with an error."""
    alice.push_image("alice/app", "1.0", LAYER, config=CONFIG)
    alice.push_manifest("alice/app", index(terminal_child()), "latest")
    result = run(*arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stdout == ""
    assert alice.tags("alice/app") == ["1.0", "latest"]


def test_delete_without_terminal_deletes_nothing(
    run: Run, alice: RegistryClient
) -> None:
    """There is no user to confirm it."""
    alice.push_image("alice/app", "1.0")
    result = run("delete", "alice/app", input="")
    assert result.exit_code == 1
    assert alice.tags("alice/app") == ["1.0"]


def test_tags_lists_untagged_and_attached_manifests_separately(
    run: Run, alice: RegistryClient
) -> None:
    """Moved tags leave untagged manifests; clients create tags for signatures."""
    alice.push_image("alice/app", "1.0", LAYER, config=CONFIG)
    alice.push_image("alice/app", "1.0", b"another")
    alice.push_image("alice/app", f"{DIGEST.replace(':', '-')}.sig", b"another")
    assert DIGEST in run("tags", "alice/app", "--untagged").stdout
    assert DIGEST not in run("tags", "alice/app").stdout
    assert ".sig" not in run("tags", "alice/app").stdout
    assert ".sig" in run("tags", "alice/app", "--attached").stdout


def test_lists_over_several_queries_are_complete(
    run: Run, alice: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each entry appears once."""
    for module in ("listing", "disk_usage"):
        monkeypatch.setattr(f"flask_oci.cli.{module}.BATCH_SIZE", 2)
    monkeypatch.setattr("flask_oci.catalog.users.BATCH_SIZE", 1)
    names = [f"alice/{number}" for number in range(5)]
    for name in names:
        alice.push_image(name, "1.0")
        alice.push_image(names[0], f"tag{name[-1]}")
    found = run("repositories").stdout.split()
    assert [word for word in found if word in names] == names
    assert run("tags", names[0]).stdout.count("\n") == 7
    assert sorted(w for w in run("usage").stdout.split() if w in names) == names
    assert run("who-can", names[0]).stdout.count("yes") == 4


def test_who_can_with_a_denial_of_the_host_lists_no_user(
    make_app: MakeApp, alice: RegistryClient
) -> None:
    """Inactive users have no permissions either."""

    def authorize(user: t.Any, action: str, _: t.Any) -> bool:
        if user is None:
            raise Denied("Sign in first.")
        return action == "pull"

    runner = make_app(authorize).test_cli_runner()
    result = runner.invoke(args=["oci", "who-can", "any/thing", "--json"])
    assert '"alice", "actions": ["pull"]' in result.stdout
    assert "carol" not in result.stdout
    assert "null" not in result.stdout
