"""The example forge as a whole: a change on a page affects the registry at once."""

from __future__ import annotations

import contextlib
import functools
import html
import json
import re
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

import example_app
from example_app.models import db
from example_app.models import find_user
from example_app.models import Project
from example_app.models import User
from example_app.registry import may
from example_app.registry import may_list
from example_app.registry import registry
from flask_oci import RepositoryInfo
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import media_type_of
from flask_oci.testing.requests import basic
from flask_oci.testing.requests import with_query
from tests.support.registry_client import NO_SESSION
from tests.support.registry_client import RegistryClient
from tests.support.statements import collected

#: The page of the registry on which users create access tokens.
TOKENS = "/images/-/tokens"
PASSWORDS = {"alice": "wonderland", "bob": "builder"}


@pytest.fixture(name="app")
def _app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Flask]:
    for name in ("DATABASE_URL", "SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EXAMPLE_INSTANCE", str(tmp_path))
    # A real hash is slow on purpose. Other tests cover it.
    quick = functools.partial(generate_password_hash, method="pbkdf2:sha256:1")
    monkeypatch.setattr("example_app.first_start.generate_password_hash", quick)
    app = example_app.create_app({"TESTING": True})
    yield app
    with app.app_context():
        db.engine.dispose()


class Person:
    """A user with a browser and a registry client."""

    def __init__(self, app: Flask, name: str) -> None:
        self.name = name
        self.browser = app.test_client()
        self.docker = RegistryClient(app, basic(name, PASSWORDS[name]))
        signed_in = self.submit("/login", username=name, password=PASSWORDS[name])
        assert signed_in.status_code == 302

    def submit(
        self, url: str, page: str | None = None, **fields: t.Any
    ) -> TestResponse:
        """Send a form with the token of its page."""
        return submit(self.browser, url, page, **fields)

    def make_project(self, name: str) -> str:
        """Create a project, and return the address of its page."""
        made = self.submit("/projects/new", name=name, description="")
        assert made.status_code == 302, made.text
        return made.location

    def settings(self, page: str, name: str, visibility: str) -> TestResponse:
        """Change a project's settings."""
        return self.submit(page, name=name, visibility=visibility)

    def set_role(self, page: str, username: str, role: str) -> None:
        """Give a user a role in a project."""
        sent = self.submit(f"{page}/members", page, username=username, role=role)
        assert sent.location == page


@contextlib.contextmanager
def statements(app: Flask) -> t.Iterator[list[str]]:
    """Collect the SQL statements that the forge sends within the block."""
    with app.app_context():
        engine = db.engine
    with collected(engine) as sent:
        yield sent


def submit(
    browser: FlaskClient, url: str, page: str | None = None, **fields: object
) -> TestResponse:
    """Send a form with the token of its page."""
    hidden = re.findall(
        r'name="(csrf_token|oci_form)" value="([^"]+)"', browser.get(page or url).text
    )
    assert hidden
    return browser.post(url, data={**fields, **dict(hidden)})


@pytest.fixture(name="alice")
def _alice(app: Flask) -> Person:
    return Person(app, "alice")


@pytest.fixture(name="bob")
def _bob(app: Flask) -> Person:
    return Person(app, "bob")


@pytest.fixture(name="anonymous")
def _anonymous(app: Flask) -> RegistryClient:
    return RegistryClient(app)


@pytest.fixture(name="page")
def _page(alice: Person) -> str:
    """The address of the page of alice's private project, which has an image."""
    page = alice.make_project("hello")
    alice.docker.push_image("alice/hello", "v1")
    return page


def may_pull(client: RegistryClient, name: str = "alice/hello") -> bool:
    """Return True if a client sees an image by tag, by digest and in the catalog."""
    catalog = client.get("/v2/_catalog")
    # An anonymous client gets no catalog.
    listed = catalog.status_code == 401 or name in catalog.get_json()["repositories"]
    by_tag = client.get(f"/v2/{name}/manifests/v1").status_code == 200
    blob = client.head(f"/v2/{name}/blobs/{digest_of(LAYER)}").status_code == 200
    assert by_tag == blob
    assert listed == by_tag or catalog.status_code == 401
    return by_tag


def may_push(client: RegistryClient, name: str = "alice/hello") -> bool:
    """Return True if a client may start an upload."""
    response = client.post(f"/v2/{name}/blobs/uploads/")
    if response.status_code == 202:
        return True
    assert response.status_code in (401, 403)
    return False


# A private image


def answers(
    client: RegistryClient, name: str, digest: str, session: str
) -> list[tuple[int, str]]:
    """Send every kind of request about a repository.

    :return: the status and the text of each answer.
    """
    blob, config = digest_of(LAYER), digest_of(b"{}")
    upload = f"/v2/{name}/blobs/uploads/{session}"
    responses = [
        client.get(f"/v2/{name}/tags/list"),
        client.get(f"/v2/{name}/manifests/v1"),
        client.get(f"/v2/{name}/manifests/{digest}"),
        client.head(f"/v2/{name}/manifests/{digest}"),
        client.get(f"/v2/{name}/blobs/{blob}"),
        client.head(f"/v2/{name}/blobs/{blob}"),
        client.get(f"/v2/{name}/referrers/{digest}"),
        client.get(upload),
        client.patch(upload, b"more"),
        client.put(with_query(upload, digest=config), b"{}"),
        client.delete(upload),
        client.post(f"/v2/{name}/blobs/uploads/"),
        client.put_manifest(name, "v1", image()),
        client.delete(f"/v2/{name}/manifests/v1"),
        client.delete(f"/v2/{name}/blobs/{blob}"),
        client.get(f"/v2/token?scope=repository:{name}:pull,push,delete"),
    ]
    return [(r.status_code, _without_names(r, name, session)) for r in responses]


def _without_names(response: TestResponse, name: str, session: str) -> str:
    """Return an answer without the names that the request contained."""
    if "token" in (body := response.get_json(silent=True) or {}):
        return t.cast(str, body["scope"])
    headers = json.dumps(sorted(response.headers.items()))
    told = (headers + response.text).replace(name, "NAME").replace(session, "SESSION")
    # The length of a name changes the length of an answer.
    return re.sub(r'\["(Content-Length|Date)", "[^"]*"\]', "", told)


def push_everything(alice: Person) -> tuple[str, str]:
    """Push an image with a referrer, and start an upload.

    :return: the image's digest, and the id of the upload.
    """
    manifest = alice.docker.push_image("alice/hello", "v1")
    signature = image(LAYER, subject=descriptor(manifest, media_type_of(manifest)))
    alice.docker.push_manifest("alice/hello", signature)
    location = alice.docker.start_upload("alice/hello")
    return digest_of(manifest), location.rpartition("/")[2].partition("?")[0]


@pytest.mark.parametrize("by", ["basic", "bearer"])
def test_private_image_answers_as_absent(
    app: Flask, alice: Person, bob: Person, by: str
) -> None:
    """Every request of bob gets the same answer for a private image as for none."""
    alice.make_project("hello")
    digest, session = push_everything(alice)
    stranger = bob.docker
    if by == "bearer":
        everything = [
            f"repository:{name}:pull,push,delete"
            for name in ("alice/hello", "alice/absent")
        ]
        stranger = stranger.bearer("registry:catalog:*", *everything)

    hidden = answers(stranger, "alice/hello", digest, session)
    absent = answers(stranger, "alice/absent", digest, NO_SESSION)
    assert hidden == absent
    assert not [status for status, _ in hidden[:-1] if status < 400]
    assert stranger.get("/v2/_catalog").get_json() == {"repositories": []}


@pytest.mark.parametrize("by", ["basic", "bearer"])
@pytest.mark.parametrize("source", ["alice/hello", None])
def test_mount_of_unreadable_blob_starts_an_upload(
    alice: Person, bob: Person, page: str, source: str | None, by: str
) -> None:
    """A mount of an unreadable blob starts an upload, like a mount of a missing one."""
    mounter = bob.docker
    if by == "bearer":
        scopes = ["repository:bob/mine:pull,push", "repository:alice/hello:pull"]
        mounter = mounter.bearer(*scopes)
    query = {"mount": digest_of(LAYER), **({"from": source} if source else {})}
    refused = mounter.post("/v2/bob/mine/blobs/uploads/", query=query)
    assert refused.status_code == 202
    blob = f"/v2/bob/mine/blobs/{digest_of(LAYER)}"
    assert mounter.head(blob).status_code == 404

    alice.set_role(page, "bob", "reader")
    allowed = bob.docker.post("/v2/bob/mine/blobs/uploads/", query=query)
    assert allowed.status_code == 201
    assert bob.docker.head(blob).status_code == 200


def test_upload_session_of_another_user_gets_404(
    alice: Person, bob: Person, page: str
) -> None:
    """Another user with the session's id and the right to push gets 404, in alice's
    project and in one of their own."""
    location = alice.docker.start_upload("alice/hello")
    session = location.rpartition("/")[2].partition("?")[0]
    alice.set_role(page, "bob", "writer")
    for name in ("alice/hello", "bob/mine"):
        upload = f"/v2/{name}/blobs/uploads/{session}"
        assert refusal(bob.docker.get(upload)) == (404, "BLOB_UPLOAD_UNKNOWN")
        patched = bob.docker.patch(upload, b"more")
        assert refusal(patched) == (404, "BLOB_UPLOAD_UNKNOWN")
        assert refusal(bob.docker.delete(upload)) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert alice.docker.get(location).status_code == 204


def test_project_page_is_hidden_like_its_image(
    bob: Person, page: str, app: Flask
) -> None:
    """A user who may not pull the image can neither see nor change the page."""
    for address in (page, page.replace("hello", "absent")):
        assert bob.browser.get(address).status_code == 404
        sent = bob.submit(address, "/", name="mine", visibility="public")
        assert sent.status_code == 404
        visitor = app.test_client().get(address)
        assert visitor.location == "/login?next=" + address.replace("/", "%2F")


# Changes


def test_visibility_change_applies_to_the_next_request(
    alice: Person, bob: Person, anonymous: RegistryClient, page: str
) -> None:
    """A change also applies to tokens that were issued before it."""
    assert not may_pull(bob.docker)
    assert not may_pull(anonymous)

    alice.settings(page, "hello", "public")
    scopes = ("registry:catalog:*", "repository:alice/hello:pull")
    tokens = [bob.docker.bearer(*scopes), anonymous.bearer(*scopes)]
    for client in (bob.docker, anonymous, *tokens):
        assert may_pull(client)
        assert not may_push(client)
    assert bob.browser.get(page).status_code == 200

    alice.settings(page, "hello", "internal")
    assert [may_pull(client) for client in tokens] == [True, False]
    assert may_pull(bob.docker)
    assert not may_pull(anonymous)

    alice.settings(page, "hello", "private")
    assert not any(map(may_pull, [bob.docker, anonymous, *tokens]))
    assert may_pull(alice.docker)


def test_role_change_applies_to_the_next_request(
    alice: Person, bob: Person, page: str
) -> None:
    """A change also applies to tokens that were issued before it."""
    alice.set_role(page, "bob", "reader")
    assert may_pull(bob.docker)
    assert not may_push(bob.docker)
    assert "alice/hello" in bob.browser.get("/").text
    assert 'id="settings"' not in bob.browser.get(page).text

    alice.set_role(page, "bob", "writer")
    assert may_push(bob.docker)
    tools = "alice/hello/tools"
    bob.docker.push_image(tools, "v1")
    assert may_pull(alice.docker, tools)
    deleted = bob.docker.delete("/v2/alice/hello/manifests/v1")
    assert refusal(deleted) == (403, "DENIED")

    scopes = [f"repository:{name}:pull,push" for name in ("alice/hello", tools)]
    token = bob.docker.bearer("registry:catalog:*", *scopes)
    assert may_push(token)
    alice.set_role(page, "bob", "reader")
    assert may_pull(token)
    assert not may_push(token)
    alice.set_role(page, "bob", "none")
    for client in (token, bob.docker):
        assert not may_pull(client)
        assert not may_pull(client, tools)
        assert not may_push(client)


def test_role_does_not_cover_names_with_the_same_prefix(
    alice: Person, bob: Person, page: str
) -> None:
    """A member of alice/hello has no access to alice/hello-world, nor to an image
    without a project."""
    alice.make_project("hello-world")
    for name in ("alice/hello-world", "alice/hello_world/x", "alice"):
        alice.docker.push_image(name, "v1")
    alice.set_role(page, "bob", "writer")
    for name in ("alice/hello-world", "alice/hello_world/x", "alice"):
        assert not may_pull(bob.docker, name)
        assert not may_push(bob.docker, name)


def test_rename_of_project_renames_images_and_redirects_pulls(
    alice: Person, bob: Person, page: str, anonymous: RegistryClient
) -> None:
    """The images are renamed with the project, and pulls by the old name still work."""
    alice.docker.push_image("alice/hello/tools", "v1")
    alice.set_role(page, "bob", "writer")
    before = bob.docker.bearer("repository:alice/hello:pull,push")
    renamed = alice.settings(page, "greeting", "private")
    assert renamed.location == "/projects/alice/greeting"
    assert alice.browser.get(page).status_code == 404

    for name in ("alice/greeting", "alice/greeting/tools"):
        assert may_pull(bob.docker, name)
        assert may_push(bob.docker, name)
    for client in (bob.docker, before):
        old = client.get("/v2/alice/hello/manifests/v1")
        assert old.status_code == 200
        assert "alice/hello is now called alice/greeting" in old.headers["Warning"]
        # A new image of the old name would belong to no project of alice.
        assert not may_push(client, "alice/hello")
    assert not may_pull(anonymous, "alice/greeting")

    # The old name hides the image from the same users as the new one.
    alice.set_role("/projects/alice/greeting", "bob", "none")
    for client in (bob.docker, before):
        old = client.get("/v2/alice/hello/manifests/v1")
        assert refusal(old) == (404, "NAME_UNKNOWN")


def test_push_to_old_name_creates_a_separate_image(alice: Person, page: str) -> None:
    """The new image and the renamed one are separate."""
    alice.settings(page, "greeting", "private")
    alice.docker.push_image("alice/hello", "v2")
    assert alice.docker.tags("alice/hello") == ["v2"]
    assert alice.docker.tags("alice/greeting") == ["v1"]


@pytest.mark.parametrize("what", ["project", "image"])
def test_rename_to_taken_name_changes_nothing(
    alice: Person, page: str, what: str
) -> None:
    """The name of another project, or of an image without a project, is refused.
    Neither the project nor its images are renamed."""
    if what == "project":
        alice.make_project("taken")
    else:
        alice.docker.push_image("alice/taken", "v9")
    assert alice.settings(page, "taken", "public").location == page
    assert "already has this name" in alice.browser.get(page).text
    assert alice.docker.tags("alice/hello") == ["v1"]
    assert ">private</span>" in alice.browser.get(page).text


def test_rename_that_fails_changes_nothing(alice: Person, page: str) -> None:
    """One transaction renames the project and its images."""

    def fail(*args: object) -> None:
        raise ZeroDivisionError

    sa.event.listen(Project.name, "set", fail)
    try:
        with pytest.raises(ZeroDivisionError):
            alice.settings(page, "greeting", "private")
    finally:
        sa.event.remove(Project.name, "set", fail)
    assert alice.docker.tags("alice/hello") == ["v1"]
    assert alice.docker.get("/v2/alice/greeting/tags/list").status_code == 404


def test_administrator_may_do_everything_until_role_is_removed(
    app: Flask, alice: Person, bob: Person, page: str
) -> None:
    """The rights cover all images and projects, and tokens that were issued before."""
    alice.docker.push_image("alice/loose", "v1")
    names = ("alice/hello", "alice/loose")
    token = bob.docker.bearer(*(f"repository:{n}:pull,push,delete" for n in names))
    change_user(app, "bob", is_admin=True)
    token = bob.docker.bearer(*(f"repository:{n}:pull,push,delete" for n in names))
    for name in names:
        assert may_pull(bob.docker, name)
        assert may_push(bob.docker, name)
        assert may_push(token, name)
    assert bob.settings(page, "hello", "internal").status_code == 302
    assert ">internal</span>" in alice.browser.get(page).text
    change_user(app, "bob", is_admin=False)
    assert not any(may_push(token, name) for name in names)
    assert not may_pull(bob.docker, "alice/loose")


def test_new_user_of_old_name_gets_no_old_images(
    app: Flask, alice: Person, page: str
) -> None:
    """A new user with the name of a deleted user, and with a project of the same name,
    gets no access to the old images."""
    alice.settings(page, "hello", "public")
    with app.app_context():
        old = find_user("alice")
        assert old
        # The second alice must not have the first one's key by chance.
        db.session.add(User(username="carol", password_hash=old.password_hash))
        db.session.commit()
        hash = old.password_hash
        db.session.delete(old)
        db.session.commit()
        db.session.add(User(username="alice", password_hash=hash))
        db.session.commit()
    another = Person(app, "alice")
    another.settings(another.make_project("hello"), "hello", "public")
    assert not may_pull(another.docker)
    assert not may_push(another.docker)


def change_user(app: Flask, username: str, **values: object) -> None:
    """Change an account in the database; no page does that."""
    with app.app_context():
        statement = sa.update(User).where(User.username == username)
        db.session.execute(statement.values(**values))
        db.session.commit()


def test_list_contains_exactly_the_images_that_may_be_pulled(
    app: Flask, alice: Person, bob: Person
) -> None:
    """For each user, `may_list` selects the images that `may` allows."""
    roles = ("none", "reader", "writer")
    for visibility in ("private", "internal", "public"):
        for role in roles:
            page = alice.make_project(f"{visibility}-{role}")
            alice.settings(page, f"{visibility}-{role}", visibility)
            alice.set_role(page, "bob", role)
            alice.docker.push_image(f"alice/{visibility}-{role}/x", "v1")
        alice.docker.push_image(f"alice/{visibility}", "v1")
    bob.make_project("mine")
    bob.docker.push_image("bob/mine", "v1")
    with app.test_request_context():
        for visibility in ("private", "internal", "public"):
            registry.repositories.set_visibility(f"alice/{visibility}", visibility)
        Repository = registry.models.Repository
        images = [
            RepositoryInfo(row.name, row.id, row.owner_id, row.visibility)
            for row in db.session.scalars(sa.select(Repository))
        ]
        assert len(images) == 13
        for user in (find_user("alice"), find_user("bob"), None):
            rows = db.session.scalars(sa.select(Repository.name).where(may_list(user)))
            assert set(rows) == {i.name for i in images if may(user, "pull", i)}


def test_list_costs_at_most_one_statement_per_image(app: Flask, alice: Person) -> None:
    """One query finds the images that the user may pull. The visibility that the page
    shows costs a statement for each."""
    costs = []
    for number in range(1, 7):
        alice.make_project(f"p{number}")
        alice.docker.push_image(f"alice/p{number}", "v1")
        if number in (1, 6):
            alice.browser.get("/images/")
            with statements(app) as sent:
                assert f"alice/p{number}" in alice.browser.get("/images/").text
            costs.append(len(sent))
    assert costs[1] - costs[0] <= 5


# The pages about images


def test_images_tab_shows_only_images_of_the_project(
    app: Flask, alice: Person, bob: Person
) -> None:
    """The tab has the project's tabs, for visitors who may see the project."""
    page = alice.make_project("hello")
    tab = "/images/?under=alice/hello"
    assert tab in html.unescape(alice.browser.get(page).text)
    assert "docker push localhost/alice/hello" in alice.browser.get(tab).text
    alice.docker.push_image("alice/hello/tools", "v1")
    alice.docker.push_image("alice/other", "v1")
    assert "alice/hello/tools" in alice.browser.get(tab).text
    assert "alice/other" not in alice.browser.get(tab).text
    assert "No description" not in bob.browser.get(tab).text
    assert bob.browser.get("/images/alice/hello/tools").status_code == 404
    alice.set_role(page, "bob", "reader")
    for address in (tab, "/images/alice/hello/tools"):
        shown = bob.browser.get(address).text
        assert '<nav class="tabs" aria-label="alice/hello">' in shown
        assert f'href="{page}"' in shown


def test_image_page_shows_visibility_of_its_project(
    alice: Person, bob: Person, page: str
) -> None:
    """The pages about an image show the visibility of its project, without a form."""
    assert bob.browser.get("/images/alice/hello").status_code == 404
    alice.settings(page, "hello", "public")
    assert ">public</span>" in bob.browser.get("/images/alice/hello").text
    settings = alice.browser.get("/images/alice/hello/-/settings").text
    assert "The site sets the visibility; it is public." in settings


# Access tokens


def make_token(person: Person, **fields: t.Any) -> str:
    """Create an access token on the page, and return its secret."""
    form = {
        "name": "laptop",
        "repositories": "alice/*",
        "actions": ["pull", "push"],
        "days": "30",
        **fields,
    }
    made = person.submit(TOKENS, **form)
    assert made.status_code == 200, made.text
    assert made.headers["Cache-Control"] == "no-store"
    secret = re.search(r'<code id="secret">(oci_pat_\w+)</code>', made.text)
    assert secret
    command = re.sub("<[^>]+>", "", made.text)
    assert f"docker login localhost -u {person.name} --password-stdin" in command
    return secret[1]


def revoke_all(person: Person) -> int:
    """Press each button on the page; return the number of buttons."""
    page = html.unescape(person.browser.get(TOKENS).text)
    forms = re.findall(r'action="(/images/-/tokens/\w+)"', page)
    for url in forms:
        assert person.submit(url, TOKENS).location == TOKENS
    return len(forms)


def test_access_token_works_until_it_is_revoked(
    app: Flask, alice: Person, page: str
) -> None:
    """The secret works for Basic authentication and for a token exchange. Revocation
    ends both."""
    secret = make_token(alice)
    assert secret not in alice.browser.get(TOKENS).text
    assert "Never used." in alice.browser.get(TOKENS).text

    by_basic = RegistryClient(app, basic("alice", secret))
    scopes = ("registry:catalog:*", "repository:alice/hello:pull,push")
    kept = by_basic.get("/v2/token?offline_token=true").get_json()["refresh_token"]
    clients = [by_basic, by_basic.bearer(*scopes), refreshed(app, kept, *scopes)]
    for client in clients:
        assert may_pull(client)
        assert may_push(client)
    assert "just now" in alice.browser.get(TOKENS).text
    stored = alice.browser.get(TOKENS, query_string={"kind": "refresh"})
    assert "stored by a client" in stored.text

    # The token that the client stores ends with the access token.
    assert revoke_all(alice) == 1
    for client in clients:
        assert refusal(client.get("/v2/")) == (401, "UNAUTHORIZED")
    assert "There are no tokens yet." in alice.browser.get(TOKENS).text
    assert may_pull(alice.docker)


def refreshed(app: Flask, secret: str, *scopes: str) -> RegistryClient:
    """Return a client with a bearer token that was issued for a refresh token."""
    form = f"grant_type=refresh_token&refresh_token={secret}&scope={'+'.join(scopes)}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = RegistryClient(app).post("/v2/token", form.encode(), headers=headers)
    return RegistryClient(app, f"Bearer {answer.get_json()['access_token']}")


def test_access_token_is_limited_to_its_patterns_and_actions(
    app: Flask, alice: Person, page: str
) -> None:
    """The limits apply to Basic authentication and to a token exchange."""
    alice.docker.push_image("alice/other", "v1")
    secret = make_token(alice, repositories="alice/hello alice/hello/*", actions="pull")
    client = RegistryClient(app, basic("alice", secret))
    scopes = ("repository:alice/hello:*", "repository:alice/other:*")
    for limited in (client, client.bearer("registry:catalog:*", *scopes)):
        assert may_pull(limited)
        assert not may_push(limited)
        assert limited.get("/v2/alice/other/tags/list").status_code in (401, 404)
        listed = limited.get("/v2/_catalog").get_json()["repositories"]
        assert listed == ["alice/hello"]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"repositories": " "}, id="no pattern"),
        pytest.param({"actions": []}, id="no action"),
        pytest.param({"actions": "admin"}, id="unknown action"),
        pytest.param({"days": "soon"}, id="no number"),
        pytest.param({"days": "9" * 20}, id="end of time"),
    ],
)
def test_access_token_form_with_invalid_value_is_refused(
    alice: Person, fields: dict[str, str]
) -> None:
    """An invalid form creates no token, and the page keeps the input."""
    form = {"name": "mine", "repositories": "*", "actions": "pull", "days": "7"}
    refused = alice.submit(TOKENS, **{**form, **fields})
    assert refused.status_code == 422
    assert 'value="mine"' in refused.text
    assert "There are no tokens yet." in alice.browser.get(TOKENS).text


def test_access_token_is_hidden_from_other_users(
    app: Flask, alice: Person, bob: Person
) -> None:
    """No other user sees or revokes it."""
    secret = make_token(alice, name="<b>mine</b>")
    listed = alice.browser.get(TOKENS).text
    assert "&lt;b&gt;mine" in listed
    (url,) = re.findall(r'action="(/images/-/tokens/\w+)"', listed)
    assert "There are no tokens yet." in bob.browser.get(TOKENS).text
    bob.submit(url, TOKENS)
    client = RegistryClient(app, basic("alice", secret))
    assert client.get("/v2/").status_code == 200


def test_token_page_without_session_redirects_to_sign_in(
    app: Flask, alice: Person
) -> None:
    """The page accepts neither an access token nor a bearer token."""
    secret = make_token(alice)
    bearer = RegistryClient(app, basic("alice", secret)).bearer()
    for authorization in (basic("alice", secret), bearer.authorization):
        headers = {"Authorization": authorization or ""}
        visitor = app.test_client().get(TOKENS, headers=headers)
        assert visitor.location == "/login?next=%2Fimages%2F-%2Ftokens"


def test_every_form_without_csrf_token_is_refused(
    app: Flask, alice: Person, page: str
) -> None:
    """This applies to every form of the forge."""
    posts = [
        rule
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and rule.endpoint.startswith("views.")
    ]
    assert len(posts) == 5
    fields = {
        "name": "x",
        "visibility": "public",
        "username": "bob",
        "role": "writer",
        "repositories": "*",
        "actions": "pull",
        "days": "",
    }
    for rule in posts:
        values = {"owner": "alice", "name": "hello", "token_id": "x"}
        url = app.url_map.bind("localhost").build(
            rule.endpoint, {a: values[a] for a in rule.arguments}
        )
        refused = alice.browser.post(url, data=fields)
        assert refused.status_code == 400
        assert "The CSRF token is missing." in refused.text
    shown = alice.browser.get(page).text
    assert ">private</span>" in shown
    assert "bob" not in shown
    assert "There are no tokens yet." in alice.browser.get(TOKENS).text


@pytest.mark.parametrize(
    ("name", "visibility"), [("../x", "public"), ("hello", "secret"), ("", "public")]
)
def test_project_settings_with_invalid_value_are_refused(
    alice: Person, page: str, name: str, visibility: str
) -> None:
    """Values that no form of the page sends are refused, and nothing changes."""
    assert alice.settings(page, name, visibility).status_code == 400
    assert ">private</span>" in alice.browser.get(page).text


@pytest.mark.parametrize("username", ["nobody", "alice", "No Name", "a\0b", ""])
def test_member_that_is_unknown_or_owner_is_refused(
    alice: Person, page: str, username: str
) -> None:
    """An unknown user and the owner cannot become members."""
    alice.set_role(page, username, "reader")
    shown = alice.browser.get(page).text
    assert "No other user has this name." in shown
    assert "Remove" not in shown
