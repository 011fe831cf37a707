"""Users who are deleted during their requests: such a request ends with 401."""

from __future__ import annotations

import typing as t

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.requests import with_query
from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import registry
from tests.support.host import User
from tests.support.interleaving import interleaved
from tests.support.registry_client import RegistryClient
from tests.support.registry_client import Source
from tests.support.rest_client import RestClient
from tests.support.visitor import Visitor

NAME = "alice/app"
CONTENT = b"another layer"


class Alice(t.NamedTuple):
    """Alice, who has an image and an upload session, and has signed in."""

    client: RegistryClient
    visitor: Visitor
    session: str

    def rest(self, method: str, path: str, **body: object) -> TestResponse:
        """Send a request to the REST interface."""
        return RestClient(self.client).send(method, path, body or None)


REPOSITORY = f"/repositories/{NAME}"
SETTINGS = f"/images/{NAME}/-/settings"
UPLOADS = f"/v2/{NAME}/blobs/uploads/"
WHOLE = {"digest": digest_of(CONTENT)}
MANIFEST = {"Content-Type": OCI_MANIFEST}

#: Writes of alice through /v2 and the REST interface.
REQUESTS: dict[str, t.Callable[[Alice], TestResponse]] = {
    "manifest": lambda a: a.client.put(
        f"/v2/{NAME}/manifests/2.0", image(LAYER, number=2), headers=MANIFEST
    ),
    "blob": lambda a: a.client.post(UPLOADS, CONTENT, query=WHOLE),
    "new repository": lambda a: a.client.post(
        "/v2/alice/new/blobs/uploads/", CONTENT, query=WHOLE
    ),
    "session": lambda a: a.client.post(UPLOADS),
    "chunk": lambda a: a.client.patch(a.session, CONTENT),
    "completion": lambda a: a.client.put(with_query(a.session, **WHOLE), CONTENT),
    "cancellation": lambda a: a.client.delete(a.session),
    "mount": lambda a: a.client.post(
        "/v2/alice/other/blobs/uploads/",
        query={"mount": digest_of(LAYER), "from": NAME},
    ),
    "tag deletion": lambda a: a.client.delete(f"/v2/{NAME}/manifests/1.0"),
    "manifest deletion": lambda a: a.client.delete(
        f"/v2/{NAME}/manifests/{digest_of(image(LAYER))}"
    ),
    "refresh token": lambda a: a.client.get(
        "/v2/token", query={"offline_token": "true"}
    ),
    "description": lambda a: a.rest("PATCH", REPOSITORY, description="A tool."),
    "rename": lambda a: a.rest("PATCH", REPOSITORY, name="alice/moved"),
    "repository deletion": lambda a: a.rest("DELETE", REPOSITORY),
    "rules": lambda a: a.rest("PUT", f"{REPOSITORY}/-/retention", rules=["delete *"]),
    "access token": lambda a: a.rest(
        "POST", "/tokens", repositories=["*"], actions=["pull"]
    ),
}

#: Forms that alice sends.
FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "description form": (f"{SETTINGS}/description", {"description": "A tool."}),
    "visibility form": (f"{SETTINGS}/visibility", {"visibility": "public"}),
    "tags form": (f"/images/{NAME}/-/tags/delete", {"tag": "1.0"}),
    "token form": ("/images/-/tokens", {"repositories": "*", "actions": "pull"}),
}


def dangling_keys(app: Flask) -> list[str]:
    """Return the columns with the key of a user who does not exist."""
    found = []
    with app.app_context():
        users = sa.select(User.id)
        for table in registry.models.tables():
            for column in table.columns:
                refers = any(
                    k.column is User.__table__.c.id for k in column.foreign_keys
                )
                if refers and db.session.scalar(
                    sa.select(sa.func.count()).where(column.not_in(users))
                ):
                    found.append(str(column))
    return found


@pytest.mark.parametrize("write", [*REQUESTS, *FORMS])
def test_write_during_deletion_of_user_is_no_server_error(
    app: Flask, write: str
) -> None:
    """At each step of the write, its user is deleted: the client gets no server error,
    and no row keeps the user's key."""
    administrator, statuses, step = Administrator(app), list[int](), 0

    def rival() -> None:
        administrator.delete_user("alice")

    while True:
        client = RegistryClient.of(app, "alice")
        client.push_image(NAME, "1.0", layer=LAYER)
        alice = Alice(client, Visitor(app, "alice"), client.start_upload(NAME))
        with interleaved(app, rival, step) as steps:
            if write in FORMS:
                path, fields = FORMS[write]
                statuses.append(alice.visitor.send(path, **fields).status)
            else:
                statuses.append(REQUESTS[write](alice).status_code)
        assert dangling_keys(app) == []
        administrator.start_afresh()
        if step >= steps.count:
            break
        step += 1
    assert all(status < 500 for status in statuses), statuses
    assert statuses[-1] < 400
    assert write in FORMS or 401 in statuses, statuses


@pytest.mark.parametrize("kind", ["manifest", "blob", "completion"])
@pytest.mark.parametrize("is_bearer", [False, True], ids=["basic", "bearer"])
def test_slow_push_of_deleted_user_is_challenged(
    app: Flask, alice: RegistryClient, kind: str, is_bearer: bool
) -> None:
    """A push whose user is deleted while its body arrives gets 401 with a challenge,
    and leaves nothing."""
    alice.push_image(NAME, "1.0")
    session = alice.start_upload(NAME)
    client = alice.bearer(f"repository:{NAME}:pull,push") if is_bearer else alice
    deleted: list[str] = []

    def delete() -> None:
        if not deleted:
            deleted.append(NAME)
            Administrator(app).delete_user("alice")

    content = image(LAYER, number=2) if kind == "manifest" else CONTENT
    source = Source(content, on_read=delete)
    environ = source.environ(len(content))
    if kind == "manifest":
        headers = {"Content-Type": OCI_MANIFEST}
        response = client.put(
            f"/v2/{NAME}/manifests/2.0", headers=headers, environ=environ
        )
    elif kind == "blob":
        response = client.post(
            f"/v2/{NAME}/blobs/uploads/",
            query={"digest": digest_of(content)},
            environ=environ,
        )
    else:
        response = client.put(
            with_query(session, digest=digest_of(content)), environ=environ
        )
    assert refusal(response) == (401, "UNAUTHORIZED")
    assert response.headers["WWW-Authenticate"].startswith("Bearer realm=")
    assert dangling_keys(app) == []
    with app.app_context():
        assert registry.repositories.find(NAME).owner_id is None


def test_first_push_of_deleted_user_creates_no_repository(
    app: Flask, alice: RegistryClient
) -> None:
    """A later user, who may get the same key from the database, inherits nothing."""
    source = Source(CONTENT, on_read=lambda: _delete_once(app))
    response = alice.post(
        "/v2/alice/new/blobs/uploads/",
        query={"digest": digest_of(CONTENT)},
        environ=source.environ(len(CONTENT)),
    )
    assert refusal(response) == (401, "UNAUTHORIZED")
    with app.app_context():
        Repository = registry.models.Repository
        assert db.session.scalar(sa.select(sa.func.count(Repository.id))) == 0


def test_flush_that_deletes_several_users_forgets_all(
    app: Flask, alice: RegistryClient, bob: RegistryClient
) -> None:
    """A host may delete several users in one transaction."""
    alice.push_image("alice/app", "1.0")
    bob.push_image("bob/app", "1.0")
    with app.app_context():
        for name in ("bob", "alice"):
            db.session.delete(user_named(name))
        db.session.commit()
    assert dangling_keys(app) == []


def _delete_once(app: Flask) -> None:
    with app.app_context():
        found = db.session.scalar(sa.select(User).filter_by(username="alice"))
        if found is not None:
            db.session.delete(found)
            db.session.commit()
