"""The recipes of the documentation, in an application."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa

from flask_oci.testing.answers import refusal
from tests.support.doc_blocks import BLOCKS
from tests.support.doc_host import ALL
from tests.support.doc_host import Host
from tests.support.doc_host import hosted
from tests.support.doc_host import NOBODY
from tests.support.doc_host import NOTHING
from tests.support.doc_host import only
from tests.support.doc_host import READ
from tests.support.doc_host import WRITE

NAMESPACES = "Namespaces are user names"
PROJECTS = "Projects with members"
ORGANISATIONS = "Organisations and teams"


@pytest.fixture
def host(tmp_path: Path, request: pytest.FixtureRequest) -> t.Iterator[Host]:
    """The application of the recipe that the test names."""
    with hosted(tmp_path, *request.param) as made:
        yield made


def recipe(*sections: str) -> pytest.MarkDecorator:
    """Return the marker with the recipe that a test is about."""
    return pytest.mark.parametrize("host", [sections], indirect=True, ids=sections[:1])


# Namespaces are user names


@recipe(NAMESPACES)
def test_namespace_recipe_gives_rights_to_owner_only(host: Host) -> None:
    """The owner may do everything there, and other users nothing."""
    host.push("alice", "alice/app")
    assert refusal(host.people["bob"].post("/v2/alice/app/blobs/uploads/"))[0] == 403
    assert host.rights("alice/app") == only(alice=ALL)
    host.check_lists()


@recipe(NAMESPACES)
def test_visibility_page_works_for_owner_only(host: Host) -> None:
    """Only the owner can use the page, and the change takes effect at once."""
    host.push("alice", "alice/app")
    page = "/images/alice/app/visibility"
    expected = {
        "internal": only(alice=ALL, bob=READ, carol=READ),
        "public": {"alice": ALL, "bob": READ, "carol": READ, NOBODY: READ},
        "private": only(alice=ALL),
    }
    for visibility, rights in expected.items():
        form = {"visibility": visibility}
        assert host.browser("bob").post(page, data=form).status_code == 404
        assert host.browser("alice").post(page, data=form).status_code == 204
        assert host.rights("alice/app") == rights
        host.check_lists()
    missing = host.browser("alice").post("/images/alice/b/visibility", data=form)
    assert missing.status_code == 404


@recipe(NAMESPACES)
def test_rename_of_user_renames_images(host: Host) -> None:
    """Pulls by the old name work until another user takes it."""
    host.push("alice", "alice/app")
    sent = host.browser("alice").post("/account/name", data={"name": "alicia"})
    assert sent.status_code == 204
    del host.people["alice"]
    alicia = host.people["alicia"] = host.log_in("alicia")
    assert host.rights("alicia/app")["alicia"] == ALL
    old = alicia.get("/v2/alice/app/manifests/v1")
    assert "alice/app is now called alicia/app" in old.headers["Warning"]

    host.add(host.User(username="alice", password_hash="x"))
    host.people["alice"] = host.log_in("alice")
    assert host.rights("alicia/app")["alice"] == NOTHING
    host.push("alice", "alice/app")
    assert host.rights("alice/app")["alicia"] == NOTHING
    host.check_lists()


# Projects with members


@pytest.fixture
def project(host: Host) -> str:
    """The path of a private project of alice, with two images."""
    Project = host.file("projects").Project
    with host.changes() as session:
        alice = host.user("alice")
        for name in ("hello", "hello-world"):
            session.add(Project(path=f"alice/{name}", owner_id=alice.id))
    for image in ("hello", "hello/worker", "hello-world"):
        host.push("alice", f"alice/{image}")
    return "alice/hello"


def set_role(host: Host, path: str, who: str, role: str | None) -> None:
    """Give a user a role in a project, or remove the user."""
    projects = host.file("projects")
    with host.changes() as session:
        found = session.scalar(sa.select(projects.Project).filter_by(path=path))
        user_id = host.user(who).id
        found.members = [m for m in found.members if m.user_id != user_id]
        session.flush()
        if role:
            found.members.append(projects.Member(user_id=user_id, role=role))


def set_visibility(host: Host, path: str, visibility: str) -> None:
    """Change the visibility of a project."""
    Project = host.file("projects").Project
    with host.changes() as session:
        found = session.scalar(sa.select(Project).filter_by(path=path))
        found.visibility = visibility


@recipe(PROJECTS)
@pytest.mark.parametrize("image", ["alice/hello", "alice/hello/worker"])
def test_project_change_applies_to_image_at_once(
    host: Host, project: str, image: str
) -> None:
    """Changes of visibility, membership and roles apply to the next request."""

    def expect(**others: frozenset[str]) -> None:
        assert host.rights(image) == only(alice=ALL, **others)
        assert host.rights("alice/hello-world") == only(alice=ALL)
        host.check_lists()

    expect()
    set_role(host, project, "bob", "reader")
    expect(bob=READ)
    set_role(host, project, "bob", "writer")
    expect(bob=WRITE)
    host.push("bob", image)
    set_role(host, project, "bob", "owner")
    expect(bob=ALL)
    set_role(host, project, "bob", None)
    expect()
    set_visibility(host, project, "internal")
    expect(bob=READ, carol=READ)
    set_visibility(host, project, "private")
    expect()


@recipe(PROJECTS)
def test_public_project_image_is_readable_while_public(
    host: Host, project: str
) -> None:
    """Every client may pull its images until it is private again."""
    set_visibility(host, project, "public")
    assert host.rights(project)[NOBODY] == READ
    host.check_lists()
    set_visibility(host, project, "private")
    assert host.rights(project)[NOBODY] == NOTHING


@recipe(PROJECTS)
def test_removed_member_has_no_access_to_pushed_image(host: Host, project: str) -> None:
    """A removed member has no access, not even to images they pushed."""
    set_role(host, project, "bob", "writer")
    host.push("bob", f"{project}/new")
    set_role(host, project, "bob", None)
    assert host.rights(f"{project}/new")["bob"] == NOTHING
    assert host.rights(f"{project}/new")["alice"] == ALL


@recipe(PROJECTS)
def test_push_without_project_is_refused(host: Host) -> None:
    """This also applies to the user's own namespace."""
    refused = host.people["alice"].post("/v2/alice/app/blobs/uploads/")
    assert refusal(refused) == (403, "DENIED")


@recipe(PROJECTS)
def test_transfer_of_project_moves_its_images(host: Host, project: str) -> None:
    """Its images move with it, and the old owner has no access."""
    projects, registry = host.file("projects"), host.file("registry")
    with host.changes() as session:
        found = session.scalar(sa.select(projects.Project).filter_by(path=project))
        registry.move(found, "bob/hello", host.user("bob"), host.user("alice"))
    for image in ("bob/hello", "bob/hello/worker"):
        rights = host.rights(image)
        assert (rights["bob"], rights["alice"]) == (ALL, NOTHING)
    assert host.rights("alice/hello-world")["alice"] == ALL
    host.check_lists()
    old = host.people["bob"].get("/v2/alice/hello/manifests/v1")
    assert "is now called bob/hello" in old.headers["Warning"]
    assert refusal(host.people["alice"].get("/v2/alice/hello/manifests/v1"))[0] == 404


@recipe(PROJECTS)
def test_recreated_project_gets_images_of_same_owner_only(
    host: Host, project: str
) -> None:
    """The same owner gets the images back, and no other user does."""
    Project = host.file("projects").Project

    def replace(owner: str) -> None:
        with host.changes() as session:
            session.delete(session.scalar(sa.select(Project).filter_by(path=project)))
            session.flush()
            session.add(Project(path=project, owner_id=host.user(owner).id))

    replace("bob")
    assert host.rights(project) == only()
    host.check_lists()
    replace("alice")
    assert host.rights(project)["alice"] == ALL


# Organisations and teams


@pytest.fixture
def organisation(host: Host) -> str:
    """The name of an organisation with two teams and images, beside another one."""
    files = host.file("organisations")
    with host.changes() as session:
        acme, other = files.Organisation(name="acme"), files.Organisation(name="other")
        session.add_all([acme, other])
        session.flush()
        admins = files.Team(organisation_id=acme.id, name="admins")
        web = files.Team(organisation_id=acme.id, name="web")
        others = files.Team(organisation_id=other.id, name="others")
        session.add_all([admins, web, others])
        session.flush()
        session.add_all(
            [
                files.Membership(team_id=admins.id, user_id=host.user("alice").id),
                files.Membership(team_id=web.id, user_id=host.user("bob").id),
                files.Membership(team_id=others.id, user_id=host.user("carol").id),
                files.Grant(team_id=others.id, path="", role="admin"),
                files.Grant(team_id=admins.id, path="", role="admin"),
                files.Grant(team_id=web.id, path="web", role="writer"),
            ]
        )
    for image in ("acme", "acme/web/worker", "acme/website", "alice/app"):
        host.push("alice", image)
    host.push("bob", "acme/web")
    host.push("carol", "other/web")
    return "acme"


@recipe(ORGANISATIONS)
def test_team_grant_covers_exactly_its_path(host: Host, organisation: str) -> None:
    """A grant covers exactly its path, and users keep their own images."""
    for image in ("acme", "acme/website", "alice/app"):
        assert host.rights(image) == only(alice=ALL)
    for image in ("acme/web", "acme/web/worker"):
        assert host.rights(image) == only(alice=ALL, bob=WRITE)
    assert host.rights("other/web") == only(carol=ALL)
    host.check_lists()
    for name in ("other/app", "other/web", "carol/app"):
        for who in ("alice", "bob"):
            refused = host.people[who].post(f"/v2/{name}/blobs/uploads/")
            assert refusal(refused) == (403, "DENIED")


@recipe(ORGANISATIONS)
def test_administrators_of_organisation_manage_its_paths(
    host: Host, organisation: str
) -> None:
    """Writers do not, and users manage the paths of their own name."""
    policy = host.app.extensions["oci"].policy
    paths = ("acme", "acme/web", "other", "bob")
    with host.app.app_context():
        found = {
            (name, path)
            for name in ("alice", "bob", "carol")
            for path in paths
            if policy.manages_path(host.user(name), path)
        }
    assert found == {
        *(("alice", "acme"), ("alice", "acme/web")),
        *(("carol", "other"), ("bob", "bob")),
    }


@recipe(ORGANISATIONS)
def test_user_who_left_team_has_no_access_to_its_images(
    host: Host, organisation: str
) -> None:
    """An image belongs to the organisation, and not to the user who pushed it first."""
    files = host.file("organisations")
    with host.changes() as session:
        mine = sa.select(files.Membership).filter_by(user_id=host.user("bob").id)
        session.delete(session.scalar(mine))
    assert host.rights("acme/web")["bob"] == NOTHING
    host.check_lists()


@recipe(ORGANISATIONS)
def test_organisation_image_has_its_own_visibility(
    host: Host, organisation: str
) -> None:
    """An image has its own visibility."""
    with host.app.app_context():
        host.registry.repositories.set_visibility("acme/web", "internal")
    assert host.rights("acme/web")["carol"] == READ
    assert host.rights("acme/web")[NOBODY] == NOTHING
    host.check_lists()
    with host.app.app_context():
        host.registry.repositories.set_visibility("acme/web", "public")
    assert host.rights("acme/web")[NOBODY] == READ
    host.check_lists()


@recipe(ORGANISATIONS)
def test_rename_of_organisation_moves_images_and_grants(
    host: Host, organisation: str
) -> None:
    """Its images and its grants move with it."""
    files = host.file("organisations")
    with host.changes() as session:
        acme = session.scalar(sa.select(files.Organisation).filter_by(name="acme"))

        def change() -> None:
            acme.name = "apex"

        host.registry.repositories.rename("acme", "apex", within_transaction=change)
    assert host.rights("apex/web")["bob"] == WRITE
    assert host.rights("apex/website")["bob"] == NOTHING
    host.check_lists()


# Lists


@pytest.mark.parametrize(
    ("host", "made"),
    [([PROJECTS], "project"), ([ORGANISATIONS], "organisation")],
    indirect=["host"],
    ids=["projects", "organisations"],
)
def test_list_costs_a_constant_number_of_statements(
    host: Host, made: str, request: pytest.FixtureRequest
) -> None:
    """The number of statements does not depend on the number of images."""
    prefix = request.getfixturevalue(made)
    before = host.statements("alice")
    for number in range(5):
        host.push("alice", f"{'acme' if prefix == 'acme' else prefix}/more{number}")
    listed = host.people["alice"].get("/v2/_catalog").get_json()["repositories"]
    assert len(listed) >= 8
    assert host.statements("alice") == before


@recipe(PROJECTS)
def test_list_test_of_the_page_fails_for_wrong_list(host: Host, project: str) -> None:
    """The test passes, and fails if the list has an image that the policy hides."""
    [code] = [
        b.code
        for b in BLOCKS
        if b.page.endswith("permissions.rst") and "def test_the_list_is" in b.code
    ]
    names = {
        "db": host.db,
        "User": host.User,
        "registry": host.registry,
        "may_list": host.file("registry").may_list,
    }
    exec(code, names)
    test = t.cast(t.Any, names["test_the_list_is_what_may_be_pulled"])
    test(host.app)
    names["may_list"] = lambda user: sa.true()
    with pytest.raises(AssertionError):
        test(host.app)
