"""The permissions on the images of the forge."""

from __future__ import annotations

import contextlib
import typing as t

import pytest
import sqlalchemy as sa
from flask import Flask

from example_app.models import db
from example_app.models import find_project
from example_app.models import find_user
from example_app.models import Member
from example_app.models import Project
from example_app.registry import registry
from flask_oci.testing import DockerClient
from flask_oci.testing import Faults
from flask_oci.testing import make_image
from flask_oci.testing import MakeClient
from flask_oci.testing import refusal
from flask_oci.testing import Refused

IMAGE = "alice/hello"


@contextlib.contextmanager
def statements(app: Flask) -> t.Iterator[list[str]]:
    """Collect the statements that the database executes."""
    done: list[str] = []

    def note(*arguments: t.Any) -> None:
        done.append(arguments[2])

    with app.app_context():
        engine = db.engine
    # A commit empties the read cache, so that earlier requests make no difference.
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE oci_repository SET name = name"))
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield done
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def set_up(app: Flask, visibility: str = "private", **roles: str) -> None:
    """Create alice's project, or change its visibility and its members."""
    with app.app_context(), db.session.no_autoflush:
        project = find_project(IMAGE)
        if project is None:
            alice = find_user("alice")
            project = Project(owner=alice, name="hello", description="")
        project.visibility = visibility
        project.members = [
            Member(user=find_user(name), role=role) for name, role in roles.items()
        ]
        db.session.add(project)
        db.session.commit()


def test_push_without_project_can_be_pulled(alice: DockerClient) -> None:
    """Names that begin with the user's own name need no project."""
    pushed = alice.push(IMAGE, "v1")
    assert alice.pull(IMAGE, "v1") == pushed


def test_private_project_refuses_pull_and_push_of_other_users(
    app: Flask, alice: DockerClient, bob: DockerClient
) -> None:
    """A pull answers as if the image did not exist."""
    set_up(app)
    alice.push(IMAGE, "v1")
    with pytest.raises(Refused, match="NAME_UNKNOWN"):
        bob.pull(IMAGE, "v1")
    assert refusal(bob.post(f"/v2/{IMAGE}/blobs/uploads/")) == (403, "DENIED")


def test_member_role_allows_pull_or_push_until_removal(
    app: Flask, alice: DockerClient, bob: DockerClient
) -> None:
    """A reader pulls, a writer also pushes, and a removed member does neither."""
    set_up(app, bob="reader")
    pushed = alice.push(IMAGE, "v1")
    assert bob.pull(IMAGE, "v1") == pushed
    with pytest.raises(Refused, match="DENIED"):
        bob.push(IMAGE, "v2")
    set_up(app, bob="writer")
    bob.push(IMAGE, "v2")
    assert alice.tags(IMAGE) == ["v1", "v2"]
    set_up(app)
    with pytest.raises(Refused, match="NAME_UNKNOWN"):
        bob.pull(IMAGE, "v1")


def test_public_project_allows_anonymous_pull_while_public(
    app: Flask, alice: DockerClient, oci_client: MakeClient
) -> None:
    """After a change to private, an anonymous pull is refused."""
    set_up(app, "public")
    pushed = alice.push(IMAGE, "v1")
    assert oci_client().pull(IMAGE, "v1") == pushed
    set_up(app, "private")
    with pytest.raises(Refused, match="UNAUTHORIZED"):
        oci_client().pull(IMAGE, "v1")


def test_push_on_full_disk_fails_and_keeps_images(
    alice: DockerClient, oci_faults: Faults
) -> None:
    """The error names the reason, and the push succeeds once the disk has space."""
    first, second = alice.push(IMAGE, "v1"), make_image()
    with oci_faults.full_disk():
        with pytest.raises(Refused, match="disk is full"):
            alice.push(IMAGE, "v2", second)
        assert alice.pull(IMAGE, "v1") == first
    assert alice.tags(IMAGE) == ["v1"]
    alice.push(IMAGE, "v2", second)
    assert alice.pull(IMAGE, "v2") == second


def test_rename_of_project_leaves_images_of_other_users(
    app: Flask, alice: DockerClient, bob: DockerClient
) -> None:
    """Bob's image below the project's name keeps its name and its owner."""
    set_up(app)
    alice.push(IMAGE, "v1")
    pushed = alice.push(f"{IMAGE}/bobs", "v1")
    with app.app_context():
        registry.repositories.transfer(f"{IMAGE}/bobs", find_user("bob"))
    visitor = app.test_client()
    app.config["WTF_CSRF_ENABLED"] = False
    visitor.post("/login", data={"username": "alice", "password": "wonderland"})
    fields = {"name": "moved", "visibility": "private"}
    assert visitor.post("/projects/alice/hello", data=fields).status_code == 302
    assert alice.tags("alice/moved") == ["v1"]
    assert bob.pull(f"{IMAGE}/bobs", "v1") == pushed
    with app.app_context():
        assert registry.repositories.find(f"{IMAGE}/bobs").name == f"{IMAGE}/bobs"


@pytest.mark.parametrize("username", ["bob", None])
def test_hidden_project_costs_the_statements_of_a_missing_one(
    app: Flask, alice: DockerClient, oci_client: MakeClient, username: str | None
) -> None:
    """The number of statements does not reveal a private project or its images."""
    set_up(app)
    alice.push(IMAGE, "v1")
    client = oci_client("bob", "builder") if username else oci_client()
    paths = ("/v2/{}/tags/list", "/images/{}", "/images/{}/-/history")
    for path in paths:
        # The first request after a commit reads the user again.
        client.get(path.format("alice/other"))
        counts = []
        for name in (IMAGE, "alice/absent"):
            with statements(app) as done:
                assert client.get(path.format(name)).status_code in (401, 404)
            counts.append(len(done))
        assert counts[0] == counts[1]
