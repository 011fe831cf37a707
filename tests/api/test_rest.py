"""REST: repositories, tags, images, usage and permissions."""

from __future__ import annotations

import sys
import typing as t
from datetime import timedelta

import pytest
from flask import Flask
from flask import redirect
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from werkzeug.test import TestResponse

from flask_oci import Registry
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import descriptor
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import index
from flask_oci.testing.manifests import OCI_MANIFEST
from tests.support.credentials import by_access_token
from tests.support.host import registry
from tests.support.host import set_policy
from tests.support.registry_client import RegistryClient
from tests.support.registry_client import Source
from tests.support.rest_client import RestClient
from tests.support.rest_client import ROOT
from tests.support.upkeep import later
from tests.support.visitor import statements
from tests.support.visitor import Visitor

MakeApp = t.Callable[..., Flask]

APP = "/repositories/alice/app"

#: Requests for changes, and the action that each of them needs.
CHANGES: t.Final = (
    ("manage", "PATCH", APP, {"visibility": "public"}),
    ("manage", "PATCH", APP, {"name": "alice/other"}),
    ("manage", "PATCH", APP, {"owner": "bob"}),
    ("manage", "PATCH", APP, {"description": "x"}),
    ("manage", "DELETE", APP, None),
    ("delete", "DELETE", f"{APP}/-/tags/v1", None),
    ("delete", "DELETE", f"{APP}/-/images/sha256:{'0' * 64}", None),
)

#: Requests that read a repository, and the action that each of them needs.
VIEWS: t.Final = (
    ("pull", APP),
    ("pull", f"{APP}/-/tags"),
    ("pull", f"{APP}/-/tags?show=untagged"),
    ("pull", f"{APP}/-/tags/v1"),
    ("pull", f"{APP}/-/images/v1"),
    ("push", f"{APP}/-/usage"),
)


@pytest.fixture(name="owner")
def _owner(alice: RegistryClient) -> RestClient:
    """Alice, with two tags in a private repository."""
    alice.push_image("alice/app", "v1")
    alice.push_image("alice/app", "v2", layer=b"another")
    return RestClient(alice)


@pytest.fixture(name="stranger")
def _stranger(bob: RegistryClient) -> RestClient:
    """Bob, without any permission on it."""
    return RestClient(bob)


def limited(app: Flask, **limits: t.Any) -> RestClient:
    """Return a client for alice with a limited access token."""
    return RestClient(by_access_token(app, "alice", **limits))


def test_root_shows_caller_and_credentials(
    owner: RestClient, anonymous: RegistryClient
) -> None:
    """The root shows the user, and the actions and repositories of the credentials."""
    assert owner.get("/") == {
        "user": "alice",
        "actions": ["pull", "push", "delete", "manage"],
        "repositories": ["*"],
    }
    app = owner.client.app
    token = limited(app, actions=["pull"], repositories=["alice/*"])
    found = {"user": "alice", "actions": ["pull"], "repositories": ["alice/*"]}
    assert token.get("/") == found
    bearer = RestClient(owner.client.bearer("repository:alice/app:pull,push"))
    assert bearer.get("/")["actions"] == ["pull", "push"]
    assert bearer.get("/")["repositories"] == ["alice/app"]
    nothing: dict[str, t.Any] = {"user": None, "actions": [], "repositories": []}
    assert RestClient(anonymous).get("/") == nothing
    public = RestClient(anonymous.bearer("repository:alice/app:pull,push"))
    assert public.get("/") == nothing


def test_repository_shows_owner_tags_and_size(owner: RestClient) -> None:
    """A repository is shown with its owner, tags and size."""
    found = owner.get(APP)
    assert found.pop("pushed_at").endswith("Z")
    assert found == {
        "name": "alice/app",
        "owner": "alice",
        "visibility": "private",
        "upstream": None,
        "description": "",
        "tags": 2,
        "bytes": 37 + len(b"a layer") + len(b"another"),
        "pulls": 0,
        "kinds": ["image"],
        "platforms": ["linux/amd64"],
    }
    assert [r["name"] for r in owner.get("/repositories")["items"]] == ["alice/app"]


def test_list_pages_list_every_entry_once(owner: RestClient) -> None:
    """In each order, the pages of a list contain every entry once."""
    for number in range(5):
        # MariaDB stores times in whole seconds.
        with later(timedelta(seconds=number)):
            owner.client.push_image(f"alice/n{number}", f"t{number}")
            owner.client.push_image("alice/app", f"t{number}")
    names = ["alice/app", *(f"alice/n{number}" for number in range(5))]
    by_name = owner.items("/repositories?limit=2")
    assert [found["name"] for found in by_name] == names
    pushed = owner.items("/repositories?limit=4&order=pushed")
    assert sorted(found["name"] for found in pushed) == names
    assert pushed[-1]["name"] == "alice/n0"
    for search in ("search=n", "under=alice", "search=N3", "under=alice/n1"):
        found = owner.items(f"/repositories?limit=1&{search}")
        wanted = {"search=n": 5, "under=alice": 6}.get(search, 1)
        assert len(found) == wanted, search
    tags = ["t0", "t1", "t2", "t3", "t4", "v1", "v2"]
    assert [x["name"] for x in owner.items(f"{APP}/-/tags?limit=3")] == tags
    moved = owner.items(f"{APP}/-/tags?limit=3&order=moved")
    assert moved[0]["name"] == "t4"
    assert sorted(x["name"] for x in moved) == tags
    taken = owner.items("/usage/repositories?limit=4")
    assert sorted(x["name"] for x in taken) == names
    assert taken[0]["name"] == "alice/app"


def test_tag_and_image_show_their_properties(owner: RestClient) -> None:
    """A tag and its image are shown with their properties."""
    digest = digest_of(image(b"a layer"))
    tag = owner.get(f"{APP}/-/tags/v1")
    assert (tag["name"], tag["digest"], tag["kind"]) == ("v1", digest, "image")
    assert (tag["platforms"], tag["pushed_by"]) == (["linux/amd64"], "alice")
    found = owner.get(f"{APP}/-/images/v1")
    assert found == owner.get(f"{APP}/-/images/{digest}")
    assert (found["digest"], found["tags"]) == (digest, ["v1"])
    assert found["size"] == len(image(b"a layer"))


def test_image_lists_children_parents_and_referrers(owner: RestClient) -> None:
    """An index lists its children, a child its index, and a subject its referrers."""
    manifest = image(b"a layer")
    subject = descriptor(manifest, OCI_MANIFEST)
    child = {**subject, "platform": {"os": "linux", "architecture": "arm64"}}
    whole = index(child)
    owner.client.push_manifest("alice/app", whole, "all")
    about = image(config=b"{}", subject=subject, artifactType="text/plain")
    owner.client.push_blob("alice/app", b"{}")
    owner.client.push_manifest("alice/app", about)
    found = owner.get(f"{APP}/-/images/all")
    assert found["kind"] == "index"
    assert found["children"][0]["digest"] == digest_of(manifest)
    assert found["children"][0]["platform"] == "linux/arm64"
    found = owner.get(f"{APP}/-/images/v1")
    assert found["part_of"] == [digest_of(whole)]
    assert found["referrers"][0]["digest"] == digest_of(about)
    assert found["referrers"][0]["artifact_type"] == "text/plain"
    found = owner.get(f"{APP}/-/images/{digest_of(about)}")
    assert (found["subject"], found["tags"]) == (digest_of(manifest), [])


def test_delete_tag_keeps_image_until_deleted_by_digest(owner: RestClient) -> None:
    """The image of a deleted tag is listed as untagged, and can be deleted by its
    digest."""
    digest = owner.get(f"{APP}/-/tags/v1")["digest"]
    owner.done("DELETE", f"{APP}/-/tags/v1")
    assert owner.client.tags("alice/app") == ["v2"]
    assert owner.client.get(f"/v2/alice/app/manifests/{digest}").status_code == 200
    (loose,) = owner.items(f"{APP}/-/tags?show=untagged")
    assert (loose["name"], loose["digest"]) == (None, digest)
    owner.done("DELETE", f"{APP}/-/images/{digest}")
    gone = owner.client.get(f"/v2/alice/app/manifests/{digest}")
    assert refusal(gone) == (404, "MANIFEST_UNKNOWN")
    for method, path in (
        ("DELETE", f"{APP}/-/tags/v1"),
        ("GET", f"{APP}/-/tags/v1"),
        ("GET", f"{APP}/-/tags/-no-tag"),
        ("DELETE", f"{APP}/-/tags/-no-tag"),
        ("GET", f"{APP}/-/images/v1"),
        ("DELETE", f"{APP}/-/images/{digest}"),
    ):
        assert refusal(owner.send(method, path)) == (404, "MANIFEST_UNKNOWN")
    wrong = owner.send("DELETE", f"{APP}/-/images/v2")
    assert refusal(wrong) == (400, "DIGEST_INVALID")


def test_deleted_image_is_restored_with_its_tags_unless_it_is_final(
    owner: RestClient,
) -> None:
    """The list has the deleted images that can be restored."""
    digest = owner.get(f"{APP}/-/tags/v1")["digest"]
    place = f"{APP}/-/deleted-images"
    owner.done("DELETE", f"{APP}/-/images/{digest}")
    (listed,) = owner.items(place)
    assert (listed["digest"], listed["deleted_by"]) == (digest, "alice")
    assert "v1" in listed["tags"]
    for action in ("pull", "delete"):
        other = limited(owner.client.app, actions=[action])
        refused = other.send("POST", f"{place}/{digest}/restore")
        assert refused.status_code in (403, 404)
    restored = owner.send("POST", f"{place}/{digest}/restore")
    assert restored.status_code == 200
    assert restored.get_json()["digest"] == digest
    assert owner.get(f"{APP}/-/tags/v1")["digest"] == digest
    owner.done("DELETE", f"{APP}/-/images/{digest}")
    owner.done("DELETE", f"{place}/{digest}")
    owner.client.push_image("alice/app", "v3", layer=b"v3")
    other = owner.get(f"{APP}/-/tags/v3")["digest"]
    owner.done("DELETE", f"{APP}/-/images/{other}?final=true")
    assert owner.items(place) == []
    for each in (digest, other):
        for method, path in (("POST", f"/{each}/restore"), ("DELETE", f"/{each}")):
            found = refusal(owner.send(method, place + path))
            assert found == (404, "MANIFEST_UNKNOWN")


def test_delete_image_of_index_is_refused(owner: RestClient) -> None:
    """An image that an index needs cannot be deleted, as below /v2."""
    child = descriptor(image(b"a layer"), OCI_MANIFEST)
    owner.client.push_manifest("alice/app", index(child), "all")
    path = f"{APP}/-/images/{child['digest']}"
    assert refusal(owner.send("DELETE", path)) == (403, "DENIED")


def test_visibility_change_applies_at_once(
    owner: RestClient, stranger: RestClient
) -> None:
    """A new visibility applies from the next request on, also below /v2."""
    path = "/v2/alice/app/manifests/v1"
    for visibility, status in (("public", 200), ("private", 404), ("internal", 200)):
        changed = owner.done("PATCH", APP, {"visibility": visibility})
        assert changed["visibility"] == visibility
        assert stranger.client.get(path).status_code == status
        assert stranger.send("GET", APP).status_code == status
    assert len(stranger.get("/repositories")["items"]) == 1


def test_change_updates_all_fields_at_once(
    owner: RestClient, stranger: RestClient
) -> None:
    """Name, owner, visibility and description can change in one request."""
    change = {
        "name": "alice/tools/app",
        "owner": "bob",
        "visibility": "public",
        "description": "# An app\r\n",
    }
    changed = owner.done("PATCH", APP, change)
    assert {**changed, **change, "description": "# An app\n"} == changed
    assert stranger.client.tags("alice/tools/app") == ["v1", "v2"]
    (mine,) = stranger.get("/usage/repositories")["items"]
    assert mine["name"] == "alice/tools/app"
    by_old_name = owner.send("GET", APP)
    assert by_old_name.get_json()["name"] == "alice/tools/app"
    assert "alice/tools/app" in by_old_name.headers["Warning"]
    # A change needs the current name.
    assert refusal(owner.send("DELETE", APP)) == (404, "NAME_UNKNOWN")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"owner": "nobody"}, (422, "UNSUPPORTED")),
        ({"owner": "carol"}, (422, "UNSUPPORTED")),
        ({"name": "alice/taken"}, (409, "NAME_INVALID")),
        ({"name": "bob/app"}, (403, "DENIED")),
        ({"name": "Alice"}, (400, "UNSUPPORTED")),
        ({"visibility": "secret"}, (400, "UNSUPPORTED")),
        ({"description": "é" * 40_000}, (422, "UNSUPPORTED")),
        ({"description": None}, (400, "UNSUPPORTED")),
        ({"colour": "red"}, (400, "UNSUPPORTED")),
        ([], (400, "UNSUPPORTED")),
    ],
)
def test_invalid_change_changes_nothing(
    owner: RestClient, change: t.Any, wanted: tuple[int, str]
) -> None:
    """If one field is invalid, no field changes."""
    owner.client.push_image("alice/taken", "v1")
    before = owner.get(APP)
    if isinstance(change, dict):
        change = {"visibility": "public", "description": "new", **change}
    assert refusal(owner.send("PATCH", APP, change)) == wanted
    assert owner.get(APP) == before


def test_visibility_set_by_application_is_read_only(make_app: MakeApp) -> None:
    """If the application sets the visibility, a change is refused."""
    app = make_app()
    alice = RestClient.of(app, "alice")
    alice.client.push_image("alice/app", "v1")
    registry.visibility_of(lambda repository: "public")
    try:
        change = {"visibility": "private"}
        assert refusal(alice.send("PATCH", APP, change)) == (403, "DENIED")
        assert alice.get(APP)["visibility"] == "public"
    finally:
        registry._hooks.visibility_of = None


def test_delete_repository_deletes_its_content(owner: RestClient) -> None:
    """A repository is deleted with all its content."""
    owner.done("DELETE", APP)
    assert refusal(owner.send("GET", APP)) == (404, "NAME_UNKNOWN")
    assert owner.client.get("/v2/alice/app/tags/list").status_code == 404
    assert owner.get("/usage")["repositories"] == 0


def test_usage_shows_size_and_quota(owner: RestClient) -> None:
    """The usage and the quota are shown, for a repository and for all of a user."""
    alice = owner.client
    with alice.app.test_request_context():
        user = registry._catalog.users.by_name("alice")
        registry.quotas.set(owner=user, bytes=10_000)
        registry.quotas.set(repository="alice/app", images=7)
    found = owner.get("/usage")
    assert (found["repositories"], found["images"]) == (1, 2)
    assert found["quota"] == {"bytes": 10_000, "images": None}
    own = owner.get(f"{APP}/-/usage")
    assert own["quota"] == {"bytes": None, "images": 7}
    assert own["bytes"] == found["bytes"]


def test_hidden_repository_is_like_a_missing_one(
    owner: RestClient, stranger: RestClient, anonymous: RegistryClient
) -> None:
    """Every response about a hidden repository is equal to that about a missing one,
    byte for byte."""
    asked: list[tuple[str, str, object]] = [("GET", path, None) for _, path in VIEWS]
    asked += [(method, path, body) for _, method, path, body in CHANGES]
    own = limited(owner.client.app, repositories=["alice/other"])
    for method, path, body in asked:
        for somebody, status in ((stranger, 404), (own, 404), (anonymous, 401)):
            client = (
                RestClient(somebody)
                if isinstance(somebody, RegistryClient)
                else somebody
            )
            there = client.send(method, path, body)
            missing = client.send(method, path.replace("/app", "/apq"), body)
            assert there.status_code == status, (method, path)
            assert everything(there, "alice/app") == everything(missing, "alice/apq")
    assert stranger.get("/repositories")["items"] == []
    assert RestClient(anonymous).get("/repositories")["items"] == []
    assert owner.client.tags("alice/app") == ["v1", "v2"]


def everything(response: TestResponse, name: str) -> object:
    """Return a response without the name of the repository."""
    headers = [(k, v.replace(name, "NAME")) for k, v in response.headers if k != "Date"]
    return response.status_code, headers, response.text.replace(name, "NAME")


def test_public_repository_cannot_be_changed_by_others(
    owner: RestClient, stranger: RestClient, anonymous: RegistryClient
) -> None:
    """Everyone can read a public repository, and other users cannot change it."""
    owner.done("PATCH", APP, {"visibility": "public"})
    before = owner.get(APP)
    for somebody, refused in ((stranger, 403), (RestClient(anonymous), 401)):
        for need, path in VIEWS:
            status = 200 if need == "pull" else refused
            assert somebody.send("GET", path).status_code == status
        for _, method, path, body in CHANGES:
            assert somebody.send(method, path, body).status_code == refused
        assert [r["name"] for r in somebody.items("/repositories")] == ["alice/app"]
    assert owner.get(APP) == before


@pytest.mark.parametrize(
    "actions",
    [["pull"], ["push"], ["pull", "delete"], ["pull", "push", "delete"], ["manage"]],
)
def test_access_token_allows_only_its_actions(
    owner: RestClient, actions: list[str]
) -> None:
    """An access token allows only its actions, and management only if it has that
    action."""
    token = limited(owner.client.app, actions=actions)
    covered = {*actions, *(["pull"] if "push" in actions else [])}
    for need, path in VIEWS:
        status = 200 if need in covered else 403 if "pull" in covered else 404
        assert token.send("GET", path).status_code == status, path
    for need, method, path, body in CHANGES:
        if need in covered:
            continue
        status = 403 if "pull" in covered else 404
        assert token.send(method, path, body).status_code == status, (method, path)
    assert owner.client.tags("alice/app") == ["v1", "v2"]
    if "manage" in actions:
        token.send("PATCH", APP, {"visibility": "public"})
    wanted = "public" if "manage" in actions else "private"
    assert owner.get(APP)["visibility"] == wanted


def test_bearer_token_allows_only_its_scope(owner: RestClient) -> None:
    """A bearer token allows its actions on its repositories. It never allows
    management, or operations on all repositories of a user."""
    bearer = RestClient(owner.client.bearer("repository:alice/app:pull,delete"))
    assert bearer.get(APP)["name"] == "alice/app"
    for _, method, path, body in CHANGES[:5]:
        assert refusal(bearer.send(method, path, body)) == (403, "DENIED")
    for path in ("/usage", "/usage/repositories"):
        assert refusal(bearer.send("GET", path)) == (403, "DENIED")
    bearer.done("DELETE", f"{APP}/-/tags/v1")
    for path, scope in (
        ("/repositories", "registry:catalog:*"),
        ("/repositories/alice/other", "repository:alice/other:pull"),
        (f"{APP}/-/usage", "repository:alice/app:pull,push"),
    ):
        if "other" in path:
            owner.client.push_image("alice/other", "v1")
        refused = bearer.send("GET", path)
        assert refusal(refused) == (401, "UNAUTHORIZED")
        assert f'scope="{scope}"' in refused.headers["WWW-Authenticate"]
        assert "/v2/token" in refused.headers["WWW-Authenticate"]
    catalog = RestClient(owner.client.bearer("registry:catalog:*"))
    assert len(catalog.get("/repositories")["items"]) == 2


def test_limited_token_lists_only_its_repositories(owner: RestClient) -> None:
    """The list contains no names or sizes of other repositories."""
    owner.client.push_image("alice/other", "v1")
    token = limited(owner.client.app, repositories=["alice/o*"])
    assert [r["name"] for r in token.items("/repositories")] == ["alice/other"]
    for path in ("/usage", "/usage/repositories"):
        assert refusal(token.send("GET", path)) == (403, "DENIED")
    deleting = limited(owner.client.app, actions=["delete"])
    assert deleting.items("/repositories") == []


def test_list_without_filter_checks_each_repository(make_app: MakeApp) -> None:
    """If the policy has no filter for lists, each repository is checked."""
    app = make_app()
    alice = RestClient.of(app, "alice")
    for number in range(5):
        alice.client.push_image(f"alice/n{number}", "v1")
    set_policy(lambda user, action, info: info.name[-1] in "13")
    listed = alice.items("/repositories?limit=1")
    assert [found["name"] for found in listed] == ["alice/n1", "alice/n3"]
    assert len(alice.items("/repositories")) == 2


def test_require_login_protects_list_but_not_document(make_app: MakeApp) -> None:
    """If a login is required, the list needs one, but the document does not."""
    app = make_app(OCI_REQUIRE_LOGIN=True)
    anonymous = RestClient(RegistryClient(app))
    assert refusal(anonymous.send("GET", "/repositories")) == (401, "UNAUTHORIZED")
    assert anonymous.send("GET", "/openapi.json").status_code == 200


def test_usage_of_anonymous_caller_is_refused(anonymous: RegistryClient) -> None:
    """An anonymous caller has no usage."""
    for path in ("/usage", "/usage/repositories"):
        refused = anonymous.get(ROOT + path)
        assert refusal(refused) == (401, "UNAUTHORIZED")


def test_session_cookie_is_ignored(app: Flask, owner: RestClient) -> None:
    """A session cookie does not authenticate, because another site could make the
    browser send it."""
    browser = Visitor(app, "alice").client
    assert browser.get(ROOT + APP).status_code == 401
    assert browser.delete(ROOT + APP).status_code == 401
    assert browser.get(f"{ROOT}/").get_json()["user"] is None
    assert "Set-Cookie" not in browser.get(f"{ROOT}/").headers


def test_responses_ignore_csrf_and_error_pages_of_application(
    make_app: MakeApp,
) -> None:
    """CSRF protection and error pages of the application do not apply; every response
    is JSON."""
    app = make_app(WTF_CSRF_ENABLED=True)
    CSRFProtect(app)
    app.register_error_handler(404, lambda error: ("<h1>Not here</h1>", 404))
    app.register_error_handler(405, lambda error: ("<h1>Not so</h1>", 405))
    owner = RestClient.of(app, "alice")
    owner.client.push_image("alice/app", "v1")
    owner.done("PATCH", APP, {"visibility": "public"})
    for path in ("/nowhere", "/repositories/alice/apq", f"{APP}/-/nothing"):
        assert refusal(owner.send("GET", path)) == (404, "NAME_UNKNOWN")
    refused = owner.send("PUT", APP)
    assert refusal(refused) == (405, "UNSUPPORTED")
    assert refused.headers["Allow"] == "GET, HEAD, PATCH, DELETE"
    options = owner.send("OPTIONS", APP)
    assert (options.status_code, options.data) == (204, b"")


def test_redirect_of_application_becomes_an_error(make_app: MakeApp) -> None:
    """A redirect by the application becomes a challenge or an error in JSON."""
    app = make_app()
    app.before_request(lambda: redirect("/sign-in"))
    anonymous, alice = RegistryClient(app), RegistryClient.of(app, "alice")
    assert refusal(anonymous.get(f"{ROOT}/usage")) == (401, "UNAUTHORIZED")
    assert refusal(alice.get(f"{ROOT}/usage")) == (403, "DENIED")


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("content", "sent_as", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{}", "application/x-www-form-urlencoded", 415),
        (b"{}", None, 415),
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"description": "\\ud800"}', "application/json", 400),
        (b'{"description": "\\u0000"}', "application/json", 400),
        (b'{"description": "' + b"x" * 600_000 + b'"}', "application/json", 413),
        (b"[" * 100_000, "application/json", 400),
        (b"{}", "application/json; charset=utf-8", 200),
    ],
)
def test_body_must_be_json_of_limited_size(
    owner: RestClient, content: bytes, sent_as: str | None, status: int
) -> None:
    """A body must be JSON, with that Content-Type, and not too large."""
    headers = {"Content-Type": sent_as} if sent_as else {}
    for chunked in (False, True):
        response = owner.client.patch(
            ROOT + APP, content, headers=headers, chunked=chunked
        )
        assert response.status_code == status, response.data
        if status != 200:
            refusal(response)


def test_body_announced_as_too_large_is_refused_unread(
    anonymous: RegistryClient,
) -> None:
    """A slow client cannot occupy a worker with a body that is too large anyway."""
    source = Source(b"{")
    response = anonymous.patch(
        ROOT + APP,
        headers={"Content-Type": "application/json"},
        environ=source.environ(8_000_000),
    )
    assert response.status_code == 413
    refusal(response)
    assert source.reads == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/repositories?limit=0", None),
        ("GET", "/repositories?limit=101", None),
        ("GET", "/repositories?limit=x", None),
        ("GET", "/repositories?limit=1&limit=2", None),
        ("GET", "/repositories?limits=1", None),
        ("GET", "/repositories?order=newest", None),
        ("GET", "/repositories?search=%00", None),
        ("GET", "/repositories?next=x", None),
        ("GET", "/repositories?next=%F0%9F%98%80", None),
        ("GET", "/repositories?next=WyJhIiwxXQ", None),
        ("GET", f"{APP}/-/tags?next=WyJhIiwiMjAyNi0wMS0wMVQwMDowMDowMCJd", None),
        ("GET", "/usage/repositories?next=LTE", None),
        ("GET", f"{APP}?limit=1", None),
        ("GET", APP, {}),
        ("DELETE", APP, {}),
    ],
)
def test_invalid_parameters_are_refused(
    owner: RestClient, method: str, path: str, body: object
) -> None:
    """Invalid parameters and unexpected bodies are refused."""
    assert refusal(owner.send(method, path, body)) == (400, "UNSUPPORTED")
    assert owner.get(APP)["tags"] == 2


def test_head_has_headers_of_get_without_body(owner: RestClient) -> None:
    """HEAD has the headers of GET, and no body."""
    got, headed = owner.send("GET", APP), owner.send("HEAD", APP)
    assert headed.status_code == 200
    assert headed.data == b""
    assert headed.headers["Content-Length"] == got.headers["Content-Length"]


def test_links_follow_the_url_prefix(make_app: MakeApp) -> None:
    """Links, the document and challenges follow the prefix of the blueprint."""
    app = make_app()
    app.register_blueprint(registry.api_blueprint, url_prefix="/rest", name="other")
    alice = RegistryClient.of(app, "alice")
    for tag in ("v1", "v2"):
        alice.push_image("alice/app", tag)
    assert alice.get("/rest/openapi.json").get_json()["servers"] == [{"url": "/rest"}]
    page = alice.get(f"/rest{APP}/-/tags?limit=1")
    assert page.headers["Link"].startswith(f"</rest{APP}/-/tags?")
    refused = RegistryClient(app).get("/rest/usage")
    assert '"http://localhost/v2/token"' in refused.headers["WWW-Authenticate"]


def test_api_without_registry_blueprint_raises() -> None:
    """The error names the blueprint to register."""
    app = Flask("reader")
    app.config["TESTING"] = True
    app.register_blueprint(registry.api_blueprint)
    with pytest.raises(RuntimeError, match=r"register registry\.blueprint as well"):
        app.test_client().get(f"{ROOT}/")


def test_api_without_msgspec_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra to install; the rest of the registry works without
    it."""

    class Base(DeclarativeBase):
        pass

    class Person(Base):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(primary_key=True)
        username: Mapped[str] = mapped_column()

    for name in [*sys.modules]:
        if name.startswith("flask_oci.api"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "msgspec", None)
    other = Registry(SQLAlchemy(model_class=Base), Person)
    with pytest.raises(RuntimeError, match=r"pip install flask-oci\[api\]"):
        _ = other.api_blueprint


#: The maximum number of statements of each list, with the four of a login by
#: password.
LISTS: t.Final = {
    "/repositories": 8,
    f"{APP}/-/tags": 12,
    f"{APP}/-/tags?show=untagged": 12,
    f"{APP}/-/images/v1": 15,
    "/usage": 8,
    "/usage/repositories": 5,
}


@pytest.mark.sqlite_only
@pytest.mark.parametrize("path", LISTS)
def test_lists_have_constant_statements(
    app: Flask, owner: RestClient, path: str
) -> None:
    """A list sends as many statements for many entries as for few."""

    def count() -> int:
        with statements(app) as sent:
            owner.get(path)
        return len([s for s in sent if not s.startswith("BEGIN")])

    loose = image(b"a layer", annotations={})
    owner.client.push_manifest("alice/app", loose)
    few = count()
    for number in range(12):
        owner.client.push_image(f"alice/n{number}", "v1", annotations={})
        notes = {"number": str(number)}
        owner.client.push_image("alice/app", f"t{number}", annotations=notes)
        untagged = image(b"a layer", annotations={"untagged": str(number)})
        owner.client.push_manifest("alice/app", untagged)
    assert count() == few
    assert few <= LISTS[path]
