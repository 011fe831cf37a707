"""The effect of ``docker login``, and its end."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.forge import Forge
from tests.support.forge import PASSWORD

from .browser import Browser
from .engine import forget
from .engine import login
from .engine import make
from .second_factor import REASON
from .shell import Client

pytestmark = pytest.mark.real

BOBS_PASSWORD = "builder"
WRONG = "Wrong user name or password."


@pytest.fixture
def own_forge() -> t.Iterator[Forge]:
    """A forge that one test may stop and change."""
    with Forge("werkzeug") as started:
        yield started


@pytest.fixture
def alice(stranger: Client, forge: Forge) -> Client:
    """Docker as alice, logged in with her password."""
    stranger(*login(forge), stdin=PASSWORD)
    return stranger


@pytest.fixture
def name(engine: Client, forge: Forge, repository: str, root: bytes) -> str:
    """The name of an image that the engine has and the registry does not."""
    name = f"{forge.host}/{repository}:1"
    make(engine, name, root)
    return name


def test_login_with_an_access_token_succeeds(
    stranger: Client, forge: Forge, name: str
) -> None:
    """The token from the site replaces the password."""
    secret = new_token(forge, "alice")
    assert "Login Succeeded" in stranger(*login(forge), stdin=secret)
    stranger("push", name)
    forget(stranger, name)
    stranger("pull", name)


def test_push_with_a_pull_token_is_denied(
    stranger: Client, forge: Forge, name: str
) -> None:
    """Docker prints that the token does not allow it."""
    secret = new_token(forge, "alice", "--action", "pull")
    stranger(*login(forge), stdin=secret)
    said = stranger.refuses("push", name)
    assert "denied: You may not push here with this access token" in said


def test_pull_with_a_pull_token_succeeds(
    alice: Client, forge: Forge, name: str
) -> None:
    """The image was pushed with another token."""
    alice("push", name)
    forget(alice, name)
    alice("logout", forge.host)
    alice.refuses("pull", name)
    secret = new_token(forge, "alice", "--action", "pull")
    alice(*login(forge), stdin=secret)
    alice("pull", name)


def test_logout_makes_docker_anonymous(alice: Client, forge: Forge, name: str) -> None:
    """Private images are not available."""
    alice("push", name)
    forget(alice, name)
    alice("logout", forge.host)
    assert forge.host not in stored(alice)
    assert "may require 'docker login'" in alice.refuses("pull", name)


def test_login_stores_a_revocable_token(alice: Client, forge: Forge) -> None:
    """Docker stores it instead of the password."""
    assert stored(alice)[forge.host]["identitytoken"].startswith("oci_ref_")


def test_stored_token_revoked_on_the_page_ends_the_login(
    stranger: Client, own_forge: Forge, root: bytes
) -> None:
    """The user finds it among the access tokens."""
    name = f"{own_forge.host}/alice/app:1"
    make(stranger, name, root)
    stranger(*login(own_forge), stdin=PASSWORD)
    stranger("push", name)
    forget(stranger, name)
    with Browser(own_forge, "alice", PASSWORD) as browser:
        assert browser.revoke_everything() == 1
    assert "log in again" in stranger.refuses("pull", name)
    stranger(*login(own_forge), stdin=PASSWORD)
    stranger("pull", name)


def test_login_outlives_expired_bearer_tokens(
    stranger: Client, own_forge: Forge, root: bytes
) -> None:
    """The stored token gets new ones."""
    name = f"{own_forge.host}/alice/app:1"
    make(stranger, name, root)
    stranger(*login(own_forge), stdin=PASSWORD)
    stranger("push", name)
    bearer = bearer_token(own_forge)
    assert status(own_forge, bearer) == 200

    own_forge.restart(SECRET_KEY="another")
    assert status(own_forge, bearer) == 401
    stranger("push", name)
    forget(stranger, name)
    stranger("pull", name)


def test_inactive_account_cannot_log_in(
    stranger: Client, own_forge: Forge, root: bytes
) -> None:
    """Existing logins end at the next command."""
    name = f"{own_forge.host}/bob/app:1"
    make(stranger, name, root)
    secret = new_token(own_forge, "bob")
    stranger(*login(own_forge, "bob"), stdin=BOBS_PASSWORD)
    stranger("push", name)
    forget(stranger, name)

    set_active(own_forge, "bob", False)
    assert "log in again" in stranger.refuses("pull", name)
    for each in (BOBS_PASSWORD, secret):
        said = stranger.refuses(*login(own_forge, "bob"), stdin=each)
        assert f"unauthorized: {WRONG}" in said

    set_active(own_forge, "bob", True)
    stranger("pull", name)


def test_login_without_password_support_explains_tokens(
    stranger: Client, own_forge: Forge, root: bytes
) -> None:
    """Logins with a password end."""
    name = f"{own_forge.host}/alice/app:1"
    make(stranger, name, root)
    stranger(*login(own_forge), stdin=PASSWORD)
    stranger("push", name)

    own_forge.restart(OCI_PASSWORD_LOGIN="false")
    assert "unauthorized" in stranger.refuses("push", name)
    said = stranger.refuses(*login(own_forge), stdin=PASSWORD)
    assert "unauthorized: Passwords are not accepted. Create an access token" in said
    stranger(*login(own_forge), stdin=new_token(own_forge, "alice"))
    stranger("push", name)


def test_login_with_a_refused_password_prints_the_reason_of_the_host(
    stranger: Client,
) -> None:
    """The reason reaches the terminal."""
    with Forge("werkzeug", "tests/clients/second_factor.py") as forge:
        said = stranger.refuses(*login(forge, "bob"), stdin=BOBS_PASSWORD)
        assert f"unauthorized: {REASON}" in said
        said = stranger.refuses(*login(forge, "bob"), stdin="guessed")
        assert f"unauthorized: {WRONG}" in said
        stranger(*login(forge), stdin=PASSWORD)
        stranger(*login(forge, "bob"), stdin=new_token(forge, "bob"))


def new_token(forge: Forge, username: str, *limits: str) -> str:
    """Issue an access token on the command line."""
    return forge.command("oci", "token", "create", username, *limits).strip()


def stored(docker: Client) -> dict[str, t.Any]:
    """Return Docker's stored credentials."""
    config = Path(docker.environment["DOCKER_CONFIG"], "config.json")
    found: dict[str, t.Any] = json.loads(config.read_text())["auths"]
    return found


def bearer_token(forge: Forge) -> str:
    """Request a bearer token with a password."""
    form = f"grant_type=password&username=alice&password={PASSWORD}"
    with urllib.request.urlopen(f"{forge.url}/v2/token", form.encode()) as answer:
        token: str = json.load(answer)["access_token"]
        return token


def status(forge: Forge, bearer: str) -> int:
    """Return the status of a request with a bearer token."""
    headers = {"Authorization": f"Bearer {bearer}"}
    request = urllib.request.Request(f"{forge.url}/v2/", headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            received: int = answer.status
            return received
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def set_active(forge: Forge, username: str, active: bool) -> None:
    """Activate or deactivate an account, as an administrator does."""
    with contextlib.closing(sqlite3.connect(forge.instance / "forge.db")) as db, db:
        change = "UPDATE user SET is_active = ? WHERE username = ?"
        db.execute(change, (active, username))
