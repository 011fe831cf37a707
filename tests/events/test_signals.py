"""Signals before and after every change."""

from __future__ import annotations

import typing as t
from functools import partial

import pytest
import sqlalchemy as sa
from flask import Flask
from flask import request

from flask_oci import Denied
from flask_oci import signals
from flask_oci.changes import Change
from flask_oci.changes import KINDS
from flask_oci.changes import MANIFEST_PULLED
from flask_oci.testing.answers import errors
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.credentials import user_named
from tests.support.host import db
from tests.support.host import PASSWORDS
from tests.support.host import registry
from tests.support.host import User
from tests.support.interleaving import interleaved
from tests.support.registry_client import RegistryClient
from tests.support.upkeep import later
from tests.support.upkeep import LONG
from tests.support.upkeep import Upkeep
from tests.support.visitor import Visitor

NAME = "alice/app"
Heard = list[tuple[str, Change]]


@pytest.fixture(name="heard")
def _heard(app: Flask) -> t.Iterator[Heard]:
    """The sent changes, each with "before" or "after"."""
    heard: Heard = []
    connected = []
    for when, known in (("before", signals.BEFORE), ("after", signals.AFTER)):
        for signal in known.values():

            def receive(sender: Flask, change: Change, when: str = when) -> None:
                assert sender is app
                heard.append((when, change))

            signal.connect(receive)
            connected.append((signal, receive))
    yield heard
    for signal, receive in connected:
        signal.disconnect(receive)


def told(heard: Heard, when: str = "after") -> list[str]:
    """Return the kinds of the sent changes, in order."""
    return [change.kind for then, change in heard if then == when]


def last(heard: Heard) -> Change:
    """Return the last change, whose signals before and after are equal."""
    (_, before), (_, after) = heard[-2:]
    assert before == after
    return after


def test_every_kind_has_its_signals() -> None:
    """Each kind has a signal after it, and each but the pull one before it."""
    assert set(signals.AFTER) == {*KINDS}
    assert set(signals.BEFORE) == {*signals.AFTER} - {MANIFEST_PULLED}


def test_push_sends_signals_for_each_step(alice: RegistryClient, heard: Heard) -> None:
    """Each step sends a signal before and after."""
    alice.push_image(NAME, "latest")
    expected = [
        "repository.created",
        "blob.pushed",
        "blob.pushed",
        "manifest.pushed",
        "tag.moved",
    ]
    assert told(heard, "before") == told(heard) == expected
    when = [then for then, _ in heard]
    assert when == ["before"] * 2 + ["after"] * 2 + ["before", "after"] + [
        *("before", "before", "after", "after")
    ]


def test_manifest_push_change_has_its_origin(
    alice: RegistryClient, heard: Heard
) -> None:
    """The change has the manifest, the repository, the user and the address."""
    manifest = alice.push_image(NAME, "latest")
    pushed = next(c for then, c in heard if c.kind == "manifest.pushed")
    assert (pushed.repository, pushed.digest) == (NAME, digest_of(manifest))
    assert (pushed.media_type, pushed.size) == (OCI_MANIFEST, len(manifest))
    assert (pushed.tags, pushed.content) == (("latest",), manifest)
    assert pushed.repository_id is not None
    origin = pushed.origin
    assert (origin.actor, origin.method) == ("alice", "PUT")
    assert (origin.address, origin.host) == ("127.0.0.1", "localhost")


def test_tag_move_change_has_both_digests(alice: RegistryClient, heard: Heard) -> None:
    """The change has both digests; a push that moves no tag sends no signal."""
    old = digest_of(alice.push_image(NAME, "latest"))
    new = digest_of(alice.push_image(NAME, "latest", number=2))
    change = heard[-1][1]
    assert (change.kind, change.tag) == ("tag.moved", "latest")
    assert (change.former_digest, change.digest) == (old, new)
    assert change.by_push
    heard.clear()
    alice.push_manifest(NAME, image(LAYER, number=2), "latest")
    assert told(heard) == ["manifest.pushed"]


def test_deletions_send_signals(alice: RegistryClient, heard: Heard) -> None:
    """The deletion of a manifest sends signals for its tags as well."""
    digest = digest_of(alice.push_image(NAME, "one"))
    alice.push_manifest(NAME, image(LAYER), "two")
    alice.push_blob(NAME, b"alone")
    heard.clear()

    alice.delete(f"/v2/{NAME}/manifests/one")
    assert (last(heard).kind, last(heard).tag) == ("tag.deleted", "one")
    assert last(heard).digest == digest
    heard.clear()
    alice.delete(f"/v2/{NAME}/manifests/{digest}")
    assert told(heard) == told(heard, "before") == ["manifest.deleted", "tag.deleted"]
    assert heard[0][1].media_type == OCI_MANIFEST
    heard.clear()
    alice.delete(f"/v2/{NAME}/blobs/{digest_of(b'alone')}")
    assert (last(heard).kind, last(heard).digest) == (
        "blob.deleted",
        digest_of(b"alone"),
    )
    heard.clear()
    alice.delete(f"/v2/{NAME}/manifests/{digest}")
    alice.delete(f"/v2/{NAME}/manifests/one")
    alice.delete(f"/v2/{NAME}/blobs/{digest_of(b'alone')}")
    assert not heard


def test_mount_change_has_its_source(alice: RegistryClient, heard: Heard) -> None:
    """A mount is not a push; the change has the source repository."""
    digest = alice.push_blob("alice/base", LAYER)
    heard.clear()
    query = {"mount": digest, "from": "alice/base"}
    assert alice.post(f"/v2/{NAME}/blobs/uploads/", query=query).status_code == 201
    assert told(heard) == ["repository.created", "blob.mounted"]
    change = heard[-1][1]
    assert (change.repository, change.source) == (NAME, "alice/base")
    assert (change.digest, change.size) == (digest, len(LAYER))


def test_streamed_blob_sends_the_same_signals(
    alice: RegistryClient, heard: Heard
) -> None:
    """A blob in several requests sends the same signals as one in a single request."""
    location = alice.start_upload(NAME)
    alice.patch(location, LAYER)
    heard.clear()
    alice.put(f"{location}?digest={digest_of(LAYER)}")
    change = last(heard)
    assert (change.kind, change.repository) == ("blob.pushed", NAME)
    assert (change.size, change.origin.actor) == (len(LAYER), "alice")
    with alice.app.app_context():
        assert change.by == user_named("alice").id


def test_repository_of_two_first_pushes_is_created_once(
    app: Flask, alice: RegistryClient, heard: Heard
) -> None:
    """It is created once, with one signal, at whichever step the other push runs."""
    rival = RegistryClient.of(app, "alice")
    step = 0
    while True:
        heard.clear()
        name = f"alice/new{step}"
        with interleaved(app, partial(rival.start_upload, name), step) as steps:
            alice.start_upload(name)
        assert told(heard) == ["repository.created"]
        if step >= steps.count:
            break
        step += 1


def test_pull_sends_a_signal_for_get_only(alice: RegistryClient, heard: Heard) -> None:
    """A GET of a manifest sends the signal, and a HEAD does not."""
    digest = digest_of(alice.push_image(NAME, "latest"))
    heard.clear()
    alice.head(f"/v2/{NAME}/manifests/latest")
    alice.get(f"/v2/{NAME}/manifests/missing")
    assert not heard
    alice.get(f"/v2/{NAME}/manifests/latest")
    ((when, change),) = heard
    assert (when, change.kind, change.tag) == ("after", "manifest.pulled", "latest")
    assert (change.digest, change.origin.actor) == (digest, "alice")


def test_repository_changes_send_signals(
    app: Flask, alice: RegistryClient, heard: Heard
) -> None:
    """Changes by the host's code and by commands send signals as well."""
    alice.push_image(NAME, "latest")
    heard.clear()
    with app.app_context():
        registry.repositories.set_visibility(NAME, "public")
        assert last(heard).visibility == "public"
        registry.repositories.transfer(NAME, user_named("bob"))
        assert last(heard).owner == "bob"
        registry.repositories.rename(NAME, "bob/app")
        change = last(heard)
        assert (change.repository, change.former_name) == ("bob/app", NAME)
        registry.repositories.describe("bob/app", "Nothing to tell.")
    Upkeep(app).run("visibility", "bob/app", "private")
    with app.app_context():
        registry.repositories.delete("bob/app")
    assert told(heard) == told(heard, "before")
    assert told(heard) == [
        "repository.visibility-changed",
        "repository.transferred",
        "repository.renamed",
        "repository.visibility-changed",
        "repository.deleted",
    ]
    assert heard[-1][1].origin.actor is None


@pytest.mark.options(oci_untagged_lifetime=60)
def test_collection_sends_signals(alice: RegistryClient, heard: Heard) -> None:
    """The collection sends a signal before it starts, and one for each deletion."""
    upkeep = Upkeep(alice.app)
    digest = digest_of(alice.push_image(NAME))
    heard.clear()
    with later(LONG):
        upkeep.gc()
    assert told(heard, "before") == ["collection.finished"]
    assert (heard[1][1].kind, heard[1][1].digest) == ("manifest.deleted", digest)
    assert told(heard)[-1] == "collection.finished"
    assert (heard[-1][1].detail or {})["manifests"] == 1
    with later(LONG * 2):
        upkeep.gc()
    assert told(heard).count("blob.deleted") == 2


def test_collection_can_be_refused(alice: RegistryClient) -> None:
    """A receiver can refuse the collection, for example during a backup."""
    upkeep = Upkeep(alice.app)
    alice.push_blob(NAME, LAYER)
    with later(LONG), signals.collection_starting.connected_to(refuse):
        result = upkeep.run("gc")
        assert result.exit_code == 1
        assert "on Fridays." in result.output
        assert upkeep.run("gc", "--dry-run").exit_code == 0
    assert alice.get(f"/v2/{NAME}/blobs/{digest_of(LAYER)}").status_code == 200


def refuse(sender: Flask, change: Change) -> None:
    """Refuse every change with a reason."""
    raise Denied(f"No {change.kind} on Fridays.")


def test_change_has_the_acting_user(
    app: Flask, alice: RegistryClient, heard: Heard
) -> None:
    """The change has the user, also if the host's code acts without a request."""
    manifest = alice.push_image(NAME, "latest")
    for path in ("manifests/latest", f"manifests/{digest_of(manifest)}"):
        alice.delete(f"/v2/{NAME}/{path}")
    alice.delete(f"/v2/{NAME}/blobs/{digest_of(LAYER)}")
    with app.app_context():
        key = user_named("alice").id
        assert {change.by for _, change in heard} == {key}
        heard.clear()
        registry.repositories.set_visibility(NAME, "public", by=user_named("bob"))
        registry.repositories.rename(NAME, "alice/new", by=user_named("bob"))
        registry.repositories.delete("alice/new", by=user_named("bob"))
        assert {change.by for _, change in heard} == {user_named("bob").id}
    assert {change.origin.actor for _, change in heard} == {"bob"}
    assert {change.origin.method for _, change in heard} == {None}


VETOES: dict[str, t.Callable[[RegistryClient], t.Any]] = {
    "repository.created": lambda c: c.post("/v2/alice/new/blobs/uploads/"),
    "blob.pushed": lambda c: c.post(
        f"/v2/{NAME}/blobs/uploads/", b"new", query={"digest": digest_of(b"new")}
    ),
    "blob.mounted": lambda c: c.post(
        "/v2/alice/other/blobs/uploads/",
        query={"mount": digest_of(CONFIG), "from": NAME},
    ),
    "blob.deleted": lambda c: c.delete(f"/v2/{NAME}/blobs/{digest_of(b'alone')}"),
    "manifest.pushed": lambda c: c.put_manifest(NAME, "v2", image(LAYER, number=2)),
    "tag.moved": lambda c: c.put_manifest(NAME, "v2", image(LAYER, number=2)),
    "tag.deleted": lambda c: c.delete(f"/v2/{NAME}/manifests/latest"),
    "manifest.deleted": lambda c: c.delete(
        f"/v2/{NAME}/manifests/{digest_of(image(LAYER))}"
    ),
}


@pytest.mark.parametrize("kind", VETOES)
def test_refusal_prevents_the_change(alice: RegistryClient, kind: str) -> None:
    """The client receives the receiver's reason, and nothing has changed."""
    alice.push_image(NAME, "latest")
    alice.push_blob(NAME, b"alone")
    alice.push_blob("alice/other", b"another")
    before = state(alice.app)
    with signals.BEFORE[kind].connected_to(refuse):
        response = VETOES[kind](alice)
    assert refusal(response) == (403, "DENIED")
    assert errors(response)[0]["message"] == f"No {kind} on Fridays."
    assert state(alice.app) == before
    assert VETOES[kind](alice).status_code in (201, 202)


def state(app: Flask) -> dict[str, int]:
    """Count all rows except those of upload sessions."""
    with app.app_context():
        return {
            table.name: db.session.scalar(sa.select(sa.func.count()).select_from(table))
            or 0
            for table in db.metadata.sorted_tables
        }


@pytest.mark.parametrize(
    ("signal", "arguments"),
    [
        (signals.visibility_changing, ["visibility", NAME, "public"]),
        (signals.repository_renaming, ["rename", NAME, "alice/other"]),
        (signals.repository_transferring, ["transfer", NAME, "bob"]),
    ],
)
def test_refusal_is_printed_by_the_command(
    alice: RegistryClient, signal: t.Any, arguments: list[str]
) -> None:
    """The command prints the reason."""
    alice.push_image(NAME, "latest")
    with signal.connected_to(refuse):
        result = Upkeep(alice.app).run(*arguments)
    assert result.exit_code == 1
    assert "on Fridays." in result.output


def test_refusal_is_shown_on_the_page(alice: RegistryClient) -> None:
    """The page shows the reason."""
    alice.push_image(NAME, "latest")
    visitor = Visitor(alice.app, "alice")
    path = f"/images/{NAME}/-/settings/delete"
    with signals.repository_deleting.connected_to(refuse):
        refused = visitor.send(path, confirmed="yes")
    assert refused.status == 403
    assert "No repository.deleted on Fridays." in refused.text
    assert alice.tags(NAME) == ["latest"]


def test_failed_receiver_before_a_change_prevents_it(alice: RegistryClient) -> None:
    """A receiver that raises any exception prevents the change."""
    alice.app.config["PROPAGATE_EXCEPTIONS"] = False
    alice.push_image(NAME, "latest")

    def fail(sender: Flask, change: Change) -> None:
        raise RuntimeError("a bug")

    with signals.tag_moving.connected_to(fail):
        response = alice.put_manifest(NAME, "new", image(LAYER))
    assert response.status_code == 500
    assert alice.tags(NAME) == ["latest"]


def test_failed_receiver_after_a_change_is_ignored(alice: RegistryClient) -> None:
    """The client receives success, and the other receivers run."""
    reached = []

    def fail(sender: Flask, change: Change) -> None:
        reached.append(change.kind)
        raise RuntimeError("a bug")

    def fail_too(sender: Flask, change: Change) -> None:
        fail(sender, change)

    with (
        signals.manifest_pushed.connected_to(fail),
        signals.manifest_pushed.connected_to(fail_too),
    ):
        alice.push_image(NAME, "latest")
    assert reached == ["manifest.pushed"] * 2
    assert alice.tags(NAME) == ["latest"]


def users(app: Flask) -> set[str]:
    """Return the names of all users."""
    with app.app_context():
        return set(db.session.scalars(sa.select(User.username)))


def robot(name: str) -> User:
    """Add an account without a usable password."""
    return User(username=name, password="", is_active=False)


@pytest.fixture(name="robots")
def _robots(app: Flask) -> t.Iterator[None]:
    """Delete the accounts that receivers have made."""
    yield
    with app.app_context():
        db.session.execute(sa.delete(User).where(User.username.startswith("robot")))
        db.session.commit()


@pytest.mark.usefixtures("robots")
def test_failed_receiver_is_rolled_back(alice: RegistryClient) -> None:
    """The uncommitted work of a failed receiver is rolled back; that of others is
    committed."""

    def finish(sender: Flask, change: Change) -> None:
        db.session.add(robot(f"robot-{change.kind}"))

    def fail(sender: Flask, change: Change) -> None:
        db.session.add(robot("robot-half-done"))
        raise RuntimeError("a bug")

    def commit(sender: Flask, change: Change) -> None:
        db.session.commit()

    with (
        signals.blob_pushed.connected_to(finish),
        signals.manifest_pushed.connected_to(fail),
        signals.tag_moved.connected_to(commit),
    ):
        alice.push_image(NAME, "latest")
    assert users(alice.app) == {*PASSWORDS, "robot-blob.pushed"}


@pytest.mark.usefixtures("robots")
def test_rows_of_the_host_survive_a_failed_receiver(alice: RegistryClient) -> None:
    """Rows that the host adds before a pull survive a receiver that fails."""

    @alice.app.before_request
    def begin() -> None:
        if request.path.endswith("/manifests/latest") and request.method == "GET":
            db.session.add(robot("robot-begun"))

    def fail(sender: Flask, change: Change) -> None:
        raise RuntimeError("a bug")

    alice.push_image(NAME, "latest")
    with signals.manifest_pulled.connected_to(fail):
        alice.get(f"/v2/{NAME}/manifests/latest")
    assert users(alice.app) == {*PASSWORDS, "robot-begun"}


@pytest.mark.parametrize("notices", [True, False])
def test_push_succeeds_although_a_receiver_breaks_the_session(
    app: Flask, alice: RegistryClient, notices: bool
) -> None:
    """The push succeeds although a statement of the receiver fails."""
    with app.app_context():
        registry.quotas.set(owner=user_named("alice"), images=5)

    def fail(sender: Flask, change: Change) -> None:
        db.session.add(robot("alice"))
        if notices:
            db.session.flush()

    with signals.manifest_pushed.connected_to(fail):
        alice.push_image(NAME, "latest")
    assert alice.tags(NAME) == ["latest"]


@pytest.mark.usefixtures("robots")
def test_rows_of_a_receiver_are_committed_with_the_change(
    alice: RegistryClient,
) -> None:
    """Rows that a receiver adds are committed if and only if the image is."""

    def add(sender: Flask, change: Change) -> None:
        db.session.add(robot(f"robot-{change.tag}"))

    alice.push_image(NAME, "latest")
    with signals.tag_moving.connected_to(add):
        alice.push_manifest(NAME, image(LAYER), "v1")
        with signals.tag_moving.connected_to(refuse):
            assert alice.put_manifest(NAME, "v2", image(LAYER)).status_code == 403
    assert users(alice.app) == {*PASSWORDS, "robot-v1"}
