"""Renames, transfers and visibility of repositories."""

from __future__ import annotations

import typing as t

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskCliRunner

from flask_oci.errors import NameInvalid
from flask_oci.errors import NameUnknown
from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import UNKNOWN
from tests.support.credentials import by_access_token
from tests.support.credentials import user_named
from tests.support.host import Administrator
from tests.support.host import db
from tests.support.host import registry
from tests.support.registry_client import NO_SESSION
from tests.support.registry_client import RegistryClient

MakeApp = t.Callable[..., Flask]

OLD, NEW = "alice/old", "alice/new"


def rename(app: Flask, old: str, new: str) -> list[str]:
    """Rename repositories, as a page of the host does."""
    with app.app_context():
        return registry.repositories.rename(old, new)


def warnings(client: RegistryClient, name: str) -> list[str]:
    """Return the warning of a pull by a name."""
    response = client.get(f"/v2/{name}/manifests/v1")
    assert response.status_code == 200, response.data
    return response.headers.getlist("Warning")


@pytest.fixture(name="renamed")
def _renamed(alice: RegistryClient) -> RegistryClient:
    """The owner of a repository that has been renamed."""
    alice.push_image(OLD, "v1")
    assert rename(alice.app, OLD, NEW) == [NEW]
    return alice


def test_an_old_name_still_pulls(renamed: RegistryClient) -> None:
    """Reads by the old name succeed with a warning; those by the new name have none."""
    manifest = renamed.get(f"/v2/{NEW}/manifests/v1")
    told = [f'299 - "{OLD} is now called {NEW}; use that name."']
    for path in (
        "manifests/v1",
        f"manifests/{digest_of(manifest.data)}",
        f"blobs/{digest_of(LAYER)}",
        "tags/list",
        f"referrers/{UNKNOWN}",
    ):
        old = renamed.get(f"/v2/{OLD}/{path}")
        new = renamed.get(f"/v2/{NEW}/{path}")
        assert (old.status_code, new.status_code) == (200, 200)
        assert old.headers.getlist("Warning") == told
        assert "Warning" not in new.headers
        assert old.data.replace(OLD.encode(), NEW.encode()) == new.data
        head = renamed.head(f"/v2/{OLD}/{path}")
        assert head.headers.getlist("Warning") == told


def test_token_for_an_old_name_pulls_by_it(renamed: RegistryClient) -> None:
    """A token for the old name allows pulls by the old name."""
    client = renamed.bearer(f"repository:{OLD}:pull")
    assert warnings(client, OLD)
    assert refusal(client.get(f"/v2/{NEW}/manifests/v1")) == (401, "UNAUTHORIZED")


def test_token_limit_applies_to_the_current_name(renamed: RegistryClient) -> None:
    """An access token for the new name pulls by both names; one for the old name pulls
    by neither."""
    new = by_access_token(renamed.app, "alice", repositories=[NEW])
    old = by_access_token(renamed.app, "alice", repositories=[OLD])
    assert warnings(new, OLD)
    assert warnings(new, NEW) == []
    for name in (OLD, NEW):
        response = old.get(f"/v2/{name}/manifests/v1")
        assert refusal(response) == (404, "NAME_UNKNOWN")


def test_chain_of_old_names_leads_to_the_current_one(renamed: RegistryClient) -> None:
    """Each former name leads directly to the current one."""
    for last, name in ((NEW, "alice/third"), ("alice/third", "alice/fourth")):
        rename(renamed.app, last, name)
    for name in (OLD, NEW, "alice/third"):
        (warning,) = warnings(renamed, name)
        assert "is now called alice/fourth" in warning
    assert warnings(renamed, "alice/fourth") == []


def test_name_that_is_taken_back_is_no_alias(renamed: RegistryClient) -> None:
    """A name that is taken back is no alias any more."""
    rename(renamed.app, NEW, OLD)
    assert warnings(renamed, OLD) == []
    (warning,) = warnings(renamed, NEW)
    assert f"is now called {OLD}" in warning


def test_first_push_to_an_old_name_creates_a_repository(
    renamed: RegistryClient,
) -> None:
    """A first push to an old name creates a new, empty repository."""
    digest = digest_of(renamed.get(f"/v2/{NEW}/manifests/v1").data)
    renamed.start_upload(OLD)
    response = renamed.get(f"/v2/{OLD}/manifests/v1")
    assert refusal(response) == (404, "MANIFEST_UNKNOWN")
    for path in (f"manifests/{digest}", f"blobs/{digest_of(LAYER)}"):
        assert renamed.get(f"/v2/{OLD}/{path}").status_code == 404
    assert warnings(renamed, NEW) == []


def test_old_name_is_free_after_its_new_repository_is_deleted(
    renamed: RegistryClient,
) -> None:
    """After the repository that took an old name is deleted, the name is free and no
    alias."""
    renamed.push_image("alice/other", "v1")
    rename(renamed.app, "alice/other", "alice/another")
    renamed.start_upload(OLD)
    renamed.push_image("alice/third", "v1")
    rename(renamed.app, "alice/third", "alice/other")
    with renamed.app.app_context():
        Upload, Repository = registry.models.Upload, registry.models.Repository
        db.session.execute(sa.delete(Upload.__table__))
        taken = sa.delete(Repository).where(Repository.name.in_([OLD, "alice/other"]))
        db.session.execute(taken)
        db.session.commit()
    for name in (OLD, "alice/other"):
        response = renamed.get(f"/v2/{name}/manifests/v1")
        assert refusal(response) == (404, "NAME_UNKNOWN")
    assert warnings(renamed, NEW) == []


def test_rename_to_an_old_name_succeeds(renamed: RegistryClient) -> None:
    """A rename to an old name succeeds, because the name is free."""
    renamed.push_image("alice/other", "v1", layer=b"another")
    rename(renamed.app, "alice/other", OLD)
    assert warnings(renamed, OLD) == []
    found = renamed.get(f"/v2/{OLD}/manifests/v1").get_json()
    assert found["layers"][0]["digest"] == digest_of(b"another")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "manifests/v1"),
        ("DELETE", f"blobs/{digest_of(LAYER)}"),
        ("PUT", "manifests/v2"),
        ("PATCH", f"blobs/uploads/{NO_SESSION}"),
    ],
)
def test_writes_to_an_old_name_are_refused(
    renamed: RegistryClient, method: str, path: str
) -> None:
    """Writes to an old name do not reach the renamed repository."""
    body = renamed.get(f"/v2/{NEW}/manifests/v1").data if method == "PUT" else None
    headers = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
    response = renamed.request(method, f"/v2/{OLD}/{path}", body, headers=headers)
    assert refusal(response)[0] in (400, 404)
    assert renamed.tags(NEW) == ["v1"]
    assert renamed.get(f"/v2/{NEW}/blobs/{digest_of(LAYER)}").status_code == 200


def test_upload_session_continues_under_the_new_name(alice: RegistryClient) -> None:
    """An upload session continues under the new name only."""
    location = alice.start_upload(OLD)
    rename(alice.app, OLD, NEW)
    assert refusal(alice.get(location)) == (404, "BLOB_UPLOAD_UNKNOWN")
    query = {"digest": digest_of(LAYER)}
    moved = location.replace(OLD, NEW)
    assert alice.put(moved, LAYER, query=query).status_code == 201


@pytest.mark.parametrize("source", [{"from": OLD}, {}])
def test_mount_from_an_old_name_starts_an_upload(
    renamed: RegistryClient, source: dict[str, str]
) -> None:
    """A mount from an old name starts an upload session, as for an unknown source."""
    query = {"mount": digest_of(LAYER), **source}
    response = renamed.post("/v2/alice/target/blobs/uploads/", query=query)
    assert response.status_code == (202 if source else 201)


def test_old_name_hides_its_repository(
    renamed: RegistryClient, bob: RegistryClient, anonymous: RegistryClient
) -> None:
    """A caller without access gets the same answer as for an unknown name."""
    for client in (bob, anonymous, bob.bearer(f"repository:{OLD}:pull")):
        for path in ("manifests/v1", "tags/list", f"blobs/{digest_of(LAYER)}"):
            old = client.get(f"/v2/{OLD}/{path}")
            none = client.get(f"/v2/alice/xyz/{path}")
            assert old.status_code == none.status_code
            assert old.data.replace(b"old", b"xyz") == none.data
            assert "Warning" not in old.headers
            assert NEW not in f"{old.headers}{old.text}"
    Administrator(renamed.app).publish(NEW)
    assert warnings(bob, OLD) == warnings(anonymous, OLD) != []


def test_old_name_in_own_namespace_looks_free(
    alice: RegistryClient, bob: RegistryClient
) -> None:
    """The owner of the namespace gets the answers of a free name, so that a first push
    to it succeeds."""
    alice.push_image(OLD, "v1")
    rename(alice.app, OLD, "bob/new")
    with alice.app.app_context():
        registry.repositories.transfer("bob/new", user_named("bob"))
    for path in (
        "manifests/v1",
        "tags/list",
        f"blobs/{UNKNOWN}",
        f"referrers/{UNKNOWN}",
    ):
        found = path.format(UNKNOWN)
        old, free = (alice.get(f"/v2/{name}/{found}") for name in (OLD, "alice/xyz"))
        assert old.status_code == free.status_code
        assert old.data.replace(b"old", b"xyz") == free.data
    for name in (OLD, "alice/xyz"):
        scope = f"repository:{name}:pull,push"
        granted = alice.get("/v2/token", query={"scope": scope}).get_json()["scope"]
        assert granted == scope
    assert warnings(bob, "bob/new") == []


def test_transfer_changes_access_at_once(
    renamed: RegistryClient, bob: RegistryClient
) -> None:
    """The new owner may do everything from the next request on, and the owner of the
    namespace nothing."""
    before = renamed.bearer(f"repository:{NEW}:pull,push")
    with renamed.app.app_context():
        registry.repositories.transfer(NEW, user_named("bob"))
    assert warnings(bob, NEW) == []
    bob.push_image(NEW, "v2")
    for client in (renamed, before):
        assert refusal(client.get(f"/v2/{NEW}/tags/list")) == (404, "NAME_UNKNOWN")
        assert refusal(client.post(f"/v2/{NEW}/blobs/uploads/")) == (403, "DENIED")
    for asking in (bob, bob.bearer("registry:catalog:*")):
        assert asking.get("/v2/_catalog").get_json() == {"repositories": [NEW]}


def test_rename_of_a_namespace_renames_all_below(alice: RegistryClient) -> None:
    """A rename of a namespace renames all repositories below it, and no other."""
    for name in ("alice/a", "alice/a/b", "alice/ab", "alice/a_b", "alice/a-b/c"):
        alice.push_image(name, "v1")
    assert rename(alice.app, "alice/a", "alice/z") == ["alice/z", "alice/z/b"]
    assert rename(alice.app, "alice", "alicia") == [
        *("alicia/a-b/c", "alicia/a_b", "alicia/ab", "alicia/z", "alicia/z/b"),
    ]
    (warning,) = warnings(alice, "alice/a/b")
    assert "is now called alicia/z/b" in warning


@pytest.mark.parametrize(
    ("new", "error"),
    [
        ("alice/taken", ValueError),
        ("bob/taken", ValueError),
        ("Alice/New", NameInvalid),
        ("alice/../bob", NameInvalid),
        ("alice/", NameInvalid),
        ("", NameInvalid),
        ("a" * 256, NameInvalid),
    ],
)
def test_rename_to_an_unusable_name_is_refused(
    alice: RegistryClient, bob: RegistryClient, new: str, error: type[Exception]
) -> None:
    """A used or an invalid name is refused, and nothing changes."""
    alice.push_image("alice/app", "v1")
    alice.push_image("alice/taken", "v1")
    bob.push_image("bob/taken", "v1")
    with pytest.raises(error):
        rename(alice.app, "alice/app", new)
    assert warnings(alice, "alice/app") == []
    assert bob.tags("bob/taken") == ["v1"]


def test_rename_to_the_same_name_changes_nothing(renamed: RegistryClient) -> None:
    """A rename to the same name changes nothing."""
    assert rename(renamed.app, NEW, NEW) == [NEW]
    assert warnings(renamed, NEW) == []
    assert rename(renamed.app, "alice/missing", "alice/x") == []


@pytest.fixture(name="run")
def _run(app: Flask) -> t.Callable[..., tuple[int, str]]:
    """Run `flask oci` and return its exit status and what it prints."""
    runner: FlaskCliRunner = app.test_cli_runner()

    def run(*arguments: str) -> tuple[int, str]:
        result = runner.invoke(args=["oci", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.output

    return run


def test_commands_rename_transfer_and_set_visibility(
    alice: RegistryClient, bob: RegistryClient, run: t.Callable[..., tuple[int, str]]
) -> None:
    """`flask oci rename`, `transfer` and `visibility` do the same."""
    alice.push_image(OLD, "v1")
    assert run("rename", OLD, NEW) == (0, f"{NEW}\n")
    assert warnings(alice, OLD)
    assert run("visibility", NEW, "internal") == (0, f"{NEW} is now internal.\n")
    assert bob.tags(NEW) == ["v1"]
    assert run("visibility", NEW, "private") == (0, f"{NEW} is now private.\n")
    assert refusal(bob.get(f"/v2/{NEW}/tags/list"))[0] == 404
    assert run("transfer", NEW, "bob") == (0, f"{NEW} now belongs to bob.\n")
    assert bob.tags(NEW) == ["v1"]
    assert refusal(alice.get(f"/v2/{NEW}/tags/list"))[0] == 404


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["visibility", "alice/app", "everybody"], "everybody"),
        (["visibility", "alice/missing", "public"], "no repository"),
        (["transfer", "alice/app", "nobody"], "There is no user nobody."),
        (["transfer", "alice/missing", "bob"], "no repository"),
        (["rename", "alice/app", "UPPER"], "lower-case"),
        (["rename", "alice/app", "alice/taken"], "alice/taken already"),
        (["rename", "alice/missing", "alice/x"], "alice/missing"),
    ],
)
def test_invalid_command_changes_nothing(
    alice: RegistryClient,
    run: t.Callable[..., tuple[int, str]],
    arguments: list[str],
    message: str,
) -> None:
    """The command prints the reason, exits with an error and changes nothing."""
    alice.push_image("alice/app", "v1")
    alice.push_image("alice/taken", "v1")
    status, output = run(*arguments)
    assert status != 0
    assert message in output
    assert "Traceback" not in output
    assert warnings(alice, "alice/app") == []


def test_change_of_an_unknown_repository_raises(app: Flask) -> None:
    """Python callers get an error of the registry."""
    with app.app_context():
        for change in (
            lambda: registry.repositories.find("alice/app"),
            lambda: registry.repositories.set_visibility("alice/app", "public"),
            lambda: registry.repositories.transfer("alice/app", user_named("bob")),
        ):
            with pytest.raises(NameUnknown):
                change()


def test_transfer_keeps_the_name(alice: RegistryClient) -> None:
    """A transfer without a new name changes the owner."""
    alice.push_image("alice/app", "v1")
    alice.push_image("alice/app/tools", "v1")
    with alice.app.app_context():
        to = user_named("bob")
        moved = registry.repositories.rename("alice/app", "alice/app", owner=to)
        assert moved == ["alice/app", "alice/app/tools"]
        owners = {registry.repositories.find(name).owner_id for name in moved}
        assert owners == {to.id}
    assert alice.get("/v2/alice/app/tags/list").status_code == 404


@pytest.mark.parametrize(
    ("old", "new"), [("alice/app", "alice/app/app"), ("alice/app/app", "alice/app")]
)
def test_renames_may_exchange_names(alice: RegistryClient, old: str, new: str) -> None:
    """Renamed repositories may take the names of others that are renamed with them."""
    for name in (old, f"{old}/app"):
        alice.push_image(name, "v1")
    assert rename(alice.app, old, new) == [new, f"{new}/app"]
    assert alice.tags(new) == alice.tags(f"{new}/app") == ["v1"]
