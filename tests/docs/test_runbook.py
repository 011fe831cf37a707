"""The runbook: each test creates a situation, and the page's commands resolve it."""

from __future__ import annotations

import json
import logging
import re
import shlex
import shutil
import sqlite3
import typing as t
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from flask_oci.testing import MemoryBucket
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.requests import basic
from tests.support import doc_blocks
from tests.support.credentials import issue
from tests.support.credentials import log_in
from tests.support.host import Administrator
from tests.support.host import DATABASE_URL
from tests.support.receiver import Receiver
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep
from tests.support.visitor import Visitor

NAME = "alice/app"

#: The placeholders of the page.
OPEN: t.Final = {
    "id": "3f0c…",
    "secret": "oci_pat_…",
    "manifest": "sha256:2cf24dba…",
    "blob": "sha256:9834876d…",
}

MakeApp = t.Callable[..., Flask]


typed = partial(doc_blocks.typed, "docs/runbook.rst")


class Reader(Upkeep):
    """An operator who runs the commands of the runbook.

    :param app: the application.
    :param section: the section of the page.
    """

    def __init__(self, app: Flask, section: str) -> None:
        super().__init__(app)
        self.section = section

    def type(self, *beginning: str, **instead: str) -> Result:
        """Run the command of the section with this beginning; it has to succeed.

        :param instead: the values of placeholders.
        """
        wanted = "flask oci " + " ".join(beginning)
        (command,) = (c for c in typed(self.section) if re.search(f"{wanted}( |$)", c))
        words = shlex.split(command.partition("flask oci ")[2])
        for name, value in instead.items():
            assert any(OPEN[name] in word for word in words)
            words = [word.replace(OPEN[name], value) for word in words]
        result = self.run(*words)
        assert result.exit_code == 0, result.output
        return result


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> t.Iterator[Path]:
    """The audit log, as the page on authentication sets it up."""
    path = tmp_path / "audit.jsonl"
    logger, handler = logging.getLogger("flask_oci.audit"), logging.FileHandler(path)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield path
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)
    handler.close()


def grep(command: str, log: Path) -> list[dict[str, t.Any]]:
    """Return the events that a pipe of greps selects."""
    patterns = [shlex.split(piece)[1] for piece in command.split(" | ")]
    lines = log.read_text("utf-8").splitlines()
    found = [line for line in lines if all(p in line for p in patterns)]
    return [json.loads(line) for line in found]


def works(app: Flask, secret: str, name: str = "alice") -> bool:
    """Return True if a user can log in with a secret."""
    return RegistryClient(app, basic(name, secret)).get("/v2/").status_code == 200


def test_full_disk_is_freed_by_collection(app: Flask, alice: RegistryClient) -> None:
    """The collection frees content of old deletions, and a dry run counts it."""
    reader = Reader(app, "The disk is full")
    digest = alice.push_blob(NAME, b"nobody needs this")
    alice.push_image(NAME, "v1")
    assert NAME in reader.type("usage").stdout
    with later(LONG):
        assert "Would delete 0 idle uploads" in reader.type("gc", "--dry-run").stdout
        assert digest in reader.blobs()
        collect = typed(reader.section)[1]
        assert collect == "flask oci gc"
        assert "and 1 blob," in reader.run("gc").stdout
    assert digest not in reader.blobs()
    assert alice.get(f"/v2/{NAME}/manifests/v1").status_code == 200


def test_full_disk_is_freed_at_once_with_short_grace_period(
    make_app: MakeApp, tmp_path: Path
) -> None:
    """With the page's grace period, the collection also frees content that was deleted
    recently."""
    (setting,) = re.findall(
        r"FLASK_(\w+)=(\d+) flask", " ".join(typed("The disk is full"))
    )
    app = make_app(**{setting[0]: int(setting[1])})
    alice, upkeep = RegistryClient.of(app, "alice"), Upkeep(app)
    digest = alice.push_blob(NAME, b"nobody needs this")
    with later(LONG / 100):
        upkeep.gc()
    assert digest not in upkeep.blobs()


@pytest.mark.parametrize("fixed", [False, True])
def test_challenge_behind_proxy_shows_wrong_address_until_fixed(
    make_app: MakeApp, fixed: bool
) -> None:
    """The challenge has the address that the page says to check. It is wrong until the
    application knows its public address."""
    address = "https://forge.example.org"
    app = make_app(**({"OCI_EXTERNAL_URL": address} if fixed else {}))
    answer = RegistryClient(app).get("/v2/", headers={"Host": "127.0.0.1:8000"})
    shown = answer.headers["WWW-Authenticate"]
    assert (f'realm="{address}/v2/token"' in shown) == fixed
    assert ("http:" in shown) != fixed


@pytest.mark.skipif(bool(DATABASE_URL), reason="this is about the file of SQLite")
def test_move_to_new_server_is_complete(
    make_app: MakeApp, tmp_path: Path, alice: RegistryClient
) -> None:
    """A copy in the order of the page is complete, and the check passes there."""
    old = alice.app
    pushed = digest_of(alice.push_image(NAME, "v1"))
    secret = issue(old, "alice").secret
    first, second = typed("Moving to a new server")[:2]
    assert first.startswith("sqlite3")
    assert second.startswith("rsync")
    address = old.config["SQLALCHEMY_DATABASE_URI"].removeprefix("sqlite:///")
    with (
        closing(sqlite3.connect(address)) as source,
        closing(sqlite3.connect(tmp_path / "new.db")) as copy,
    ):
        source.backup(copy)
    shutil.copytree(tmp_path / "oci", tmp_path / "new")
    new = make_app(
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/new.db",
        OCI_STORAGE_PATH=str(tmp_path / "new"),
    )
    assert (
        "No problems found" in Reader(new, "Moving to a new server").type("fsck").output
    )
    client = RegistryClient(new, basic("alice", secret))
    assert client.get(f"/v2/{NAME}/manifests/{pushed}").status_code == 200


def test_blobs_are_moved_from_small_disk_to_object_store(make_app: MakeApp) -> None:
    """The image stays readable, and the folder becomes empty."""
    pushed = RegistryClient.of(make_app(), "alice").push_image(NAME, "v1")
    bucket = MemoryBucket()
    bucket.name = "s3://forge-images/oci"
    app = make_app(OCI_STORAGE=bucket)
    reader = Reader(app, "The disk is too small for the images")
    assert "local: 2 blobs" in reader.type("storage status").output
    assert "Moved 2 blobs" in reader.type("storage migrate").output
    assert "No problems found" in reader.type("fsck").output
    with later(LONG):
        reader.gc()
    assert not reader.blobs()
    alice = RegistryClient.of(app, "alice")
    for path in (f"manifests/{digest_of(pushed)}", f"blobs/{digest_of(LAYER)}"):
        assert alice.get(f"/v2/{NAME}/{path}").status_code == 200


def test_user_who_left_loses_access(
    app: Flask, admin: Administrator, alice: RegistryClient, bob: RegistryClient
) -> None:
    """None of their credentials works, and their image has another owner."""
    reader = Reader(app, "A user has left")
    bob.push_image("bob/app", "v1")
    secret, kept = issue(app, "bob").secret, log_in(bob)["refresh_token"]
    assert "access" in reader.type("token", "list").stdout
    reader.type("token", "revoke-all")
    assert not works(app, secret, "bob")
    assert not works(app, kept, "bob")
    reader.type("transfer")
    reader.type("rename")
    reader.type("visibility")
    assert alice.tags("alice/bobs-app") == ["v1"]
    assert "is now called" in alice.get("/v2/bob/app/tags/list").headers["Warning"]
    assert refusal(bob.get("/v2/alice/bobs-app/tags/list")) == (404, "NAME_UNKNOWN")


def test_overwritten_tag_is_restored(
    app: Flask, alice: RegistryClient, log: Path
) -> None:
    """The digest in the log restores the tag, on the pages and with a client."""
    section = "A tag was overwritten"
    right = digest_of(alice.push_image(NAME, "1.0"))
    alice.push_image(NAME, "1.0", b"another layer")
    command = typed(section)[1]
    first, second = grep(command, log)
    assert first["detail"] == {"digest": right, "tags": "1.0"}
    assert second["detail"]["digest"] != right

    Reader(app, section).type("copy", manifest=first["detail"]["digest"])
    assert alice.head(f"/v2/{NAME}/manifests/1.0").headers["ETag"] == f'"{right}"'

    alice.push_image(NAME, "1.0", b"another layer")
    page = Visitor(app, "alice").get(f"/images/{NAME}/-/history")
    assert "Restore" in page.text

    alice.push_image(NAME, "v1.0.0")
    Reader(app, section).type("protect", "set")
    other = alice.get(f"/v2/{NAME}/manifests/1.0").data
    moved = alice.put_manifest(NAME, "v1.0.0", other)
    assert refusal(moved) == (403, "DENIED")


def test_unwanted_image_is_deleted(app: Flask, alice: RegistryClient) -> None:
    """No client can pull it after its deletion. The collection deletes its bytes."""
    reader = Reader(app, "Sensitive content was pushed")
    manifest, blob = digest_of(alice.push_image(NAME, "v1")), digest_of(LAYER)
    assert "layer of" in reader.type("gc", "--explain", blob=blob).stdout
    in_use = alice.delete(f"/v2/{NAME}/blobs/{blob}")
    assert refusal(in_use) == (403, "DENIED")
    for kind, digest in (("manifests", manifest), ("blobs", blob)):
        (command,) = (c for c in typed(reader.section) if f"/{kind}/" in c)
        path = re.sub(r"sha256:\w+…", digest, command.partition("example.org")[2])
        assert alice.delete(path).status_code == 202
        assert alice.get(path).status_code == 404
    assert "No repository has" in reader.type("gc", "--explain", blob=blob).stdout
    assert blob in reader.blobs()
    with later(LONG):
        reader.gc()
    assert blob not in reader.blobs()


@pytest.mark.skipif(bool(DATABASE_URL), reason="this is about the file of SQLite")
def test_restored_database_gets_lost_pushes_and_revocations(
    app: Flask, alice: RegistryClient, tmp_path: Path, log: Path
) -> None:
    """Lost pushes can be repeated. Lost revocations are in the log."""
    reader = Reader(app, "The database was restored from a backup")
    address = app.config["SQLALCHEMY_DATABASE_URI"].removeprefix("sqlite:///")
    issued = issue(app, "alice")
    alice.push_image(NAME, "v0", layer=b"an earlier layer")
    with (
        closing(sqlite3.connect(address)) as now,
        closing(sqlite3.connect(tmp_path / "backup.db")) as backup,
    ):
        now.backup(backup)
        pushed = alice.push_image(NAME, "v1")
        reader.run("token", "revoke", issued.id)
        backup.backup(now)

    assert "unrecorded" in reader.type("fsck").stdout
    assert alice.push_image(NAME, "v1") == pushed
    assert works(app, issued.secret)
    (event,) = grep(typed(reader.section)[1], log)
    reader.type("token", "revoke", id=event["detail"]["token"])
    assert not works(app, issued.secret)


def test_leaked_token_is_revoked(app: Flask, alice: RegistryClient, log: Path) -> None:
    """The finder revokes it by its secret; then all tokens of the user are revoked."""
    reader = Reader(app, "An access token has leaked")
    leaked, other = issue(app, "alice").secret, issue(app, "alice").secret
    alice.push_image(NAME, "v1")
    assert works(app, leaked)
    reader.type("token", "revoke", secret=leaked)
    assert not works(app, leaked)
    assert works(app, other)
    reader.type("token", "revoke-all")
    assert not works(app, other)
    actions = {event["action"] for event in grep(typed(reader.section)[2], log)}
    assert {"push", "token-issued", "token-revoked"} <= actions


@pytest.mark.options(oci_webhook_attempts=1, oci_webhook_networks=["127.0.0.0/8"])
def test_failed_webhook_delivery_is_replayed(app: Flask, alice: RegistryClient) -> None:
    """The log states the cause, and a replay delivers the event after the fix."""
    reader = Reader(app, "A webhook is not delivered")
    with Receiver(lambda _: 401) as receiver:
        reader.run("webhooks", "add", receiver.url, "--kind", "tag.*")
        alice.push_image(NAME, "v1")
        assert reader.run("events", "deliver").exit_code == 1
        listed = reader.type("events", "list").stdout.splitlines()
        assert "v1" in listed[1]
        shown = reader.run("events", "show", listed[1].split()[0]).output
        assert "It answered 401." in shown
        receiver.answer = lambda _: 200
        assert "Scheduled 1 delivery" in reader.type("events", "replay").output
        assert "Delivered 1 webhook;" in reader.type("events", "deliver").output
        assert [a.json["data"]["tag"] for a in receiver.taken] == ["v1"]


def test_job_that_no_process_runs_is_found(app: Flask, alice: RegistryClient) -> None:
    """The command names the job until a process runs it."""
    reader = Reader(app, "Rules delete nothing, or the disk fills up")
    alice.push_image(NAME, "pr-1")
    reader.run("retention", "set", "--repository", NAME, "delete pr-*")
    assert "No process applies retention rules" in reader.type("jobs").stderr
    reader.run("work", "--once")
    assert reader.type("jobs").stderr == ""


def test_every_section_of_runbook_has_a_test() -> None:
    """Each section of the page has a test here, except the one about a proxy, which is
    about an address."""
    source = Path(__file__).read_text("utf-8")
    parts = {b.section for b in doc_blocks.ALL_BLOCKS if b.page == "docs/runbook.rst"}
    parts -= {"A push fails behind the proxy"}
    assert [part for part in parts if f'"{part}"' not in source] == []
