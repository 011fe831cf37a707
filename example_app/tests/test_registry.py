"""Who may do what with the images of the forge."""

from __future__ import annotations

import pytest
from flask import Flask

from example_app.models import db
from example_app.models import find_project
from example_app.models import find_user
from example_app.models import Member
from example_app.models import Project
from flask_oci.testing import DockerClient
from flask_oci.testing import Faults
from flask_oci.testing import make_image
from flask_oci.testing import MakeClient
from flask_oci.testing import refusal
from flask_oci.testing import Refused

IMAGE = "alice/hello"


def set_up(app: Flask, visibility: str = "private", **roles: str) -> None:
    """Make alice's project, or change who may see it and who works on it."""
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


def test_what_is_pushed_can_be_pulled(alice: DockerClient) -> None:
    """Without a project, too: a person's name is theirs."""
    pushed = alice.push(IMAGE, "v1")
    assert alice.pull(IMAGE, "v1") == pushed


def test_a_private_project(app: Flask, alice: DockerClient, bob: DockerClient) -> None:
    """Strangers cannot tell its images from none, and push nothing."""
    set_up(app)
    alice.push(IMAGE, "v1")
    with pytest.raises(Refused, match="NAME_UNKNOWN"):
        bob.pull(IMAGE, "v1")
    assert refusal(bob.post(f"/v2/{IMAGE}/blobs/uploads/")) == (403, "DENIED")


def test_members(app: Flask, alice: DockerClient, bob: DockerClient) -> None:
    """A reader pulls, a writer pushes, and who has left does neither."""
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


def test_a_public_project(
    app: Flask, alice: DockerClient, oci_client: MakeClient
) -> None:
    """Anybody pulls from it, without an account, until it is public no more."""
    set_up(app, "public")
    pushed = alice.push(IMAGE, "v1")
    assert oci_client().pull(IMAGE, "v1") == pushed
    set_up(app, "private")
    with pytest.raises(Refused, match="UNAUTHORIZED"):
        oci_client().pull(IMAGE, "v1")


def test_a_full_disk_loses_nothing(alice: DockerClient, oci_faults: Faults) -> None:
    """The push fails, with a reason, and succeeds when there is room again."""
    first, second = alice.push(IMAGE, "v1"), make_image()
    with oci_faults.full_disk():
        with pytest.raises(Refused, match="disk is full"):
            alice.push(IMAGE, "v2", second)
        assert alice.pull(IMAGE, "v1") == first
    assert alice.tags(IMAGE) == ["v1"]
    alice.push(IMAGE, "v2", second)
    assert alice.pull(IMAGE, "v2") == second
