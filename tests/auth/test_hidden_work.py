"""Hidden content costs the same work as missing content.

The statements of the database and the file lookups stand for the time, which a busy
machine cannot measure exactly.

"""

from __future__ import annotations

import contextlib
import os
import typing as t

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_oci import RepositoryInfo
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import UNKNOWN
from flask_oci.testing.requests import basic
from tests.support.credentials import by_access_token
from tests.support.credentials import issue
from tests.support.credentials import user_named
from tests.support.host import db
from tests.support.host import registry
from tests.support.host import set_policy
from tests.support.host import User
from tests.support.registry_client import NO_SESSION
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.visitor import Visitor

pytestmark = pytest.mark.sqlite_only

PRIVATE, RENAMED, MISSING = "alice/secret", "alice/former", "alice/absent"
DIGEST = digest_of(LAYER)


@contextlib.contextmanager
def work(app: Flask) -> t.Iterator[list[str]]:
    """Record each statement that the database executes."""
    done: list[str] = []

    def note(_c: t.Any, _k: t.Any, statement: str, *_: t.Any) -> None:
        done.append(statement)

    with app.app_context():
        engine = db.engine
    # A commit empties the read cache, so that earlier requests make no difference.
    with engine.begin() as connection:
        connection.execute(sa.update(User).values(username=User.username))
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield done
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def work_of(client: RegistryClient, method: str, path: str, **kw: t.Any) -> list[str]:
    """Return the statements of a request."""
    with work(client.app) as done:
        assert client.request(method, path, **kw).status_code < 500
    assert done
    return done


def by_statement(user: t.Any, action: str, repository: RepositoryInfo) -> bool:
    """Decide like the default policy, after statements like those of a host."""
    owner = db.session.scalar(
        sa.select(User.id).where(User.username == repository.namespace)
    )
    if user is None or owner is None:
        return False
    return registry.default_policy(user, action, repository)


def visibility_by_statement(repository: RepositoryInfo) -> str | None:
    """Execute a statement, and leave the visibility to the registry."""
    db.session.scalar(sa.select(User.id).where(User.username == repository.namespace))
    return None


@pytest.fixture(name="policy", params=["default", "statements", "visibility"])
def _policy(request: pytest.FixtureRequest, app: Flask) -> t.Iterator[str]:
    """The policy of the host: none, or hooks that execute statements."""
    hooks, policy = registry._hooks, str(request.param)
    set_policy(by_statement if policy == "statements" else None)
    hooks.visibility_of = visibility_by_statement if policy == "visibility" else None
    yield policy
    hooks.visibility_of = None


@pytest.fixture(name="strangers")
def _strangers(app: Flask, alice: RegistryClient, policy: str) -> list[RegistryClient]:
    """Users without access to a private image and a renamed one of alice."""
    alice.push_image(PRIVATE, "v1")
    alice.push_image(RENAMED, "v1")
    with app.app_context():
        registry.repositories.rename(RENAMED, "alice/present")
    bob, scopes = RegistryClient.of(app, "bob"), f"repository:{PRIVATE}:pull,push"
    nobody = RegistryClient(app).bearer(scopes)
    by_token = by_access_token(app, "bob")
    # The registry records the use of a token once a minute, and reads it once more.
    for _ in range(2):
        by_token.get("/v2/")
    return [bob, bob.bearer(scopes), by_token, nobody]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "manifests/v1"),
        ("HEAD", "manifests/v1"),
        ("GET", f"blobs/{DIGEST}"),
        ("HEAD", f"blobs/{DIGEST}"),
        ("GET", "tags/list"),
        ("GET", f"referrers/{DIGEST}"),
        ("PUT", "manifests/v1"),
        ("DELETE", "manifests/v1"),
        ("DELETE", f"blobs/{DIGEST}"),
        ("POST", "blobs/uploads/"),
        ("GET", f"blobs/uploads/{NO_SESSION}"),
    ],
)
def test_private_repository_costs_the_work_of_a_missing_one(
    strangers: list[RegistryClient], method: str, path: str
) -> None:
    """The registry executes the same statements, also for a former name of the
    repository."""
    for stranger in strangers:
        private, renamed, missing = (
            work_of(stranger, method, f"/v2/{name}/{path}")
            for name in (PRIVATE, RENAMED, MISSING)
        )
        assert private == renamed == missing


def test_change_of_private_repository_costs_the_work_of_a_missing_one(
    app: Flask, strangers: list[RegistryClient]
) -> None:
    """A caller who repeats a request does not see when a hidden repository changes."""
    stranger = strangers[1]
    path = f"/v2/{PRIVATE}/manifests/v1"
    before = work_of(stranger, "GET", path)
    with app.app_context():
        registry.repositories.transfer(PRIVATE, user_named("carol"))
    assert work_of(stranger, "GET", path) == before


@pytest.mark.parametrize("source", [PRIVATE, None])
def test_mount_of_private_blob_costs_the_work_of_a_missing_one(
    strangers: list[RegistryClient],
    source: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The registry looks for no file either."""
    stat, files = os.stat, []

    def note(path: t.Any, *args: t.Any, **kwargs: t.Any) -> os.stat_result:
        files.append(str(path))
        return stat(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", note)
    bob = strangers[0]
    bob.start_upload("bob/app")
    query = {} if source is None else {"from": source}
    private, missing = (
        work_of(bob, "POST", "/v2/bob/app/blobs/uploads/", query={**query, "mount": d})
        for d in (DIGEST, UNKNOWN)
    )
    assert private == missing
    assert not [path for path in files if "blobs" in path.split(os.sep)]


@pytest.mark.parametrize("holders", [1, 3])
def test_mount_without_source_costs_the_same_for_any_number_of_holders(
    strangers: list[RegistryClient], alice: RegistryClient, holders: int
) -> None:
    """The policy is not asked once for each hidden repository that has the blob."""
    for number in range(holders):
        alice.push_image(f"alice/secret{number}", "v1")
    bob = strangers[0]
    bob.start_upload("bob/app")
    path = "/v2/bob/app/blobs/uploads/"
    held, missing = (
        work_of(bob, "POST", path, query={"mount": d}) for d in (DIGEST, UNKNOWN)
    )
    assert held == missing


def test_push_under_quota_costs_the_same_for_any_number_of_holders(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """Bob may push to one repository of alice, whose quota also counts hidden ones."""

    def authorize(user: t.Any, action: str, repository: RepositoryInfo) -> bool:
        is_shared = user is not None and repository.name == "alice/shared"
        return by_statement(user, action, repository) or is_shared

    set_policy(authorize)
    for name in (PRIVATE, RENAMED, "alice/third"):
        alice.push_image(name, "v1")
    alice.push_image("alice/shared", "v1", b"another layer")
    with app.app_context():
        registry.quotas.set(owner=user_named("alice"), bytes=10**9)
    path = "/v2/alice/shared/blobs/uploads/"
    held, missing = (
        work_of(bob, "POST", path, body=b"wrong", query={"digest": d})
        for d in (DIGEST, UNKNOWN)
    )
    assert held == missing


@pytest.mark.parametrize("suffix", ["", "/-/history", "/-/settings", "/-/tags/v1"])
@pytest.mark.parametrize("username", ["bob", None])
def test_page_of_private_repository_costs_the_work_of_a_missing_one(
    app: Flask, strangers: list[RegistryClient], username: str | None, suffix: str
) -> None:
    """The pages execute the same statements, also for a former name."""
    visitor = Visitor(app, username)
    found = []
    for name in (PRIVATE, RENAMED, MISSING):
        with work(app) as done:
            assert visitor.status(f"/images/{name}{suffix}") == 404
        found.append(done)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_rest_of_private_repository_costs_the_work_of_a_missing_one(
    strangers: list[RegistryClient], method: str
) -> None:
    """REST executes the same statements, also for a former name."""
    for stranger in (strangers[0], strangers[2], RegistryClient(strangers[0].app)):
        rest, found = RestClient(stranger), []
        for name in (PRIVATE, RENAMED, MISSING):
            with work(stranger.app) as done:
                path = f"/repositories/{name}"
                answer = rest.send(method, path, {} if method == "PATCH" else None)
                assert answer.status_code in (401, 403, 404)
            found.append(done)
        assert found[0] == found[1] == found[2]


def test_pull_by_former_name_costs_the_same_where_caller_could_create(
    app: Flask, alice: RegistryClient, policy: str
) -> None:
    """Alice could create the repository that has the name. She does not learn that it
    is a former name of a repository that is hidden from her."""
    alice.push_image(RENAMED, "v1")
    with app.app_context():
        bob = user_named("bob")
        registry.repositories.rename(RENAMED, "bob/taken", owner=bob)
    for path in ("manifests/v1", "tags/list", f"referrers/{DIGEST}"):
        former, missing = (
            work_of(alice, "GET", f"/v2/{name}/{path}") for name in (RENAMED, MISSING)
        )
        assert former == missing


def test_upload_of_other_user_costs_the_work_of_a_missing_one(app: Flask) -> None:
    """A user who knows the id of an upload cannot find out whether it exists."""
    alice, bob = (RegistryClient.of(app, name) for name in ("alice", "bob"))
    known = alice.start_upload("alice/app").rpartition("/")[2]
    bob.start_upload("bob/app")
    found, none = (
        work_of(bob, "GET", f"/v2/bob/app/blobs/uploads/{session}")
        for session in (known, NO_SESSION)
    )
    assert found == none


def test_login_of_unknown_user_costs_the_work_of_a_known_one(app: Flask) -> None:
    """The registry calls the host and counts the failure for both. The host has to hash
    for the same time."""
    first = work_of(RegistryClient(app, basic("other", "wrong")), "GET", "/v2/")
    for name in ("alice", "carol", "nobody"):
        client = RegistryClient(app, basic(name, "wrong"))
        assert work_of(client, "GET", "/v2/") == first


def test_token_with_wrong_checksum_costs_no_statement(app: Flask) -> None:
    """The checksum at the end of the token is wrong, so the database is not needed."""
    secret = issue(app, "alice").secret
    mistyped = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    with work(app) as done:
        response = RegistryClient(app, basic("alice", mistyped)).get("/v2/")
    assert refusal(response) == (401, "UNAUTHORIZED")
    assert done == []


def test_token_request_for_hidden_repository_costs_the_same_work(
    strangers: list[RegistryClient],
) -> None:
    """The answer is the same for each name."""
    for stranger in (strangers[0], strangers[2]):
        private, renamed, missing = (
            work_of(
                stranger,
                "GET",
                "/v2/token",
                query={"scope": f"repository:{name}:pull,push,delete"},
            )
            for name in (PRIVATE, RENAMED, MISSING)
        )
        assert private == renamed == missing


def test_repository_of_deleted_user_stays_hidden(
    app: Flask, alice: RegistryClient
) -> None:
    """A repository without an owner is hidden like before."""
    alice.push_image(PRIVATE, "v1")
    with app.app_context():
        db.session.delete(user_named("alice"))
        db.session.commit()
    bob = RegistryClient.of(app, "bob")
    gone = work_of(bob, "GET", f"/v2/{PRIVATE}/tags/list")
    assert gone == work_of(bob, "GET", f"/v2/{MISSING}/tags/list")
    answers = [bob.get(f"/v2/{n}/tags/list").data for n in (PRIVATE, MISSING)]
    assert answers[0].replace(PRIVATE.encode(), MISSING.encode()) == answers[1]
