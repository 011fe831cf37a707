"""The recipes of the documentation, as somebody who copies them has them."""

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
    """The application of the recipe that the test is about."""
    with hosted(tmp_path, *request.param) as made:
        yield made


def recipe(*sections: str) -> pytest.MarkDecorator:
    """Say which recipe a test is about."""
    return pytest.mark.parametrize("host", [sections], indirect=True, ids=sections[:1])


# Namespaces are user names


@recipe(NAMESPACES)
def test_each_user_has_a_namespace(host: Host) -> None:
    """Its owner does everything there, and nobody else does anything."""
    host.push("alice", "alice/app")
    assert refusal(host.people["bob"].post("/v2/alice/app/blobs/uploads/"))[0] == 403
    assert host.rights("alice/app") == only(alice=ALL)
    host.check_lists()


@recipe(NAMESPACES)
def test_an_owner_changes_who_sees_an_image(host: Host) -> None:
    """The page does it for the owner, at once, and for nobody else."""
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
def test_a_user_is_renamed_with_their_images(host: Host) -> None:
    """The old name leads to the images until somebody has it."""
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
    """The path of a private project of alice's, which has two images."""
    Project = host.file("projects").Project
    with host.changes() as session:
        alice = host.user("alice")
        for name in ("hello", "hello-world"):
            session.add(Project(path=f"alice/{name}", owner_id=alice.id))
    for image in ("hello", "hello/worker", "hello-world"):
        host.push("alice", f"alice/{image}")
    return "alice/hello"


def set_role(host: Host, path: str, who: str, role: str | None) -> None:
    """Give somebody a role in a project, or take it from them."""
    projects = host.file("projects")
    with host.changes() as session:
        found = session.scalar(sa.select(projects.Project).filter_by(path=path))
        user_id = host.user(who).id
        found.members = [m for m in found.members if m.user_id != user_id]
        session.flush()
        if role:
            found.members.append(projects.Member(user_id=user_id, role=role))


def set_visibility(host: Host, path: str, visibility: str) -> None:
    """Change who sees a project."""
    Project = host.file("projects").Project
    with host.changes() as session:
        found = session.scalar(sa.select(Project).filter_by(path=path))
        found.visibility = visibility


@recipe(PROJECTS)
@pytest.mark.parametrize("image", ["alice/hello", "alice/hello/worker"])
def test_an_image_follows_its_project(host: Host, project: str, image: str) -> None:
    """Visibility, membership and roles count from the next request on."""

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
def test_a_public_project(host: Host, project: str) -> None:
    """Its images are for everybody, until it is public no more."""
    set_visibility(host, project, "public")
    assert host.rights(project)[NOBODY] == READ
    host.check_lists()
    set_visibility(host, project, "private")
    assert host.rights(project)[NOBODY] == NOTHING


@recipe(PROJECTS)
def test_what_a_member_pushes_is_the_projects(host: Host, project: str) -> None:
    """A member who has left has nothing of it, not even what they have made."""
    set_role(host, project, "bob", "writer")
    host.push("bob", f"{project}/new")
    set_role(host, project, "bob", None)
    assert host.rights(f"{project}/new")["bob"] == NOTHING
    assert host.rights(f"{project}/new")["alice"] == ALL


@recipe(PROJECTS)
def test_there_is_no_image_without_a_project(host: Host) -> None:
    """Nobody pushes where there is no project, not even into their own namespace."""
    refused = host.people["alice"].post("/v2/alice/app/blobs/uploads/")
    assert refusal(refused) == (403, "DENIED")


@recipe(PROJECTS)
def test_a_project_moves_to_another_owner(host: Host, project: str) -> None:
    """Its images move with it, and the old owner is a stranger."""
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
def test_a_project_that_is_deleted_and_made_again(host: Host, project: str) -> None:
    """Its images come back for the same person, and for nobody else."""
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
    """The name of an organisation with two teams and some images, beside another."""
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
def test_teams_have_what_they_were_let_into(host: Host, organisation: str) -> None:
    """A grant ends where its path does, and people keep what is theirs."""
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
def test_who_leaves_a_team_leaves_its_images(host: Host, organisation: str) -> None:
    """What somebody pushed first is the organisation's, and not theirs."""
    files = host.file("organisations")
    with host.changes() as session:
        mine = sa.select(files.Membership).filter_by(user_id=host.user("bob").id)
        session.delete(session.scalar(mine))
    assert host.rights("acme/web")["bob"] == NOTHING
    host.check_lists()


@recipe(ORGANISATIONS)
def test_an_organisations_image_is_published(host: Host, organisation: str) -> None:
    """Its visibility is its own."""
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
def test_an_organisation_is_renamed(host: Host, organisation: str) -> None:
    """Its images and its grants go with it."""
    files = host.file("organisations")
    with host.changes() as session:
        acme = session.scalar(sa.select(files.Organisation).filter_by(name="acme"))

        def also() -> None:
            acme.name = "apex"

        host.registry.repositories.rename("acme", "apex", within_transaction=also)
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
def test_a_list_costs_one_statement(
    host: Host, made: str, request: pytest.FixtureRequest
) -> None:
    """However many images it has, beside what it takes to know who asks."""
    prefix = request.getfixturevalue(made)
    before = host.statements("alice")
    for number in range(5):
        host.push("alice", f"{'acme' if prefix == 'acme' else prefix}/more{number}")
    listed = host.people["alice"].get("/v2/_catalog").get_json()["repositories"]
    assert len(listed) >= 8
    assert host.statements("alice") == before


@recipe(PROJECTS)
def test_the_test_of_the_page_finds_a_hole(host: Host, project: str) -> None:
    """It passes, and fails where the list has what the other functions have not."""
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
