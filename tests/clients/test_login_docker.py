"""What somebody who types ``docker login`` can do afterwards, and until when."""

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
    """A forge that one test may stop, and change."""
    with Forge("werkzeug") as started:
        yield started


@pytest.fixture
def alice(stranger: Client, forge: Forge) -> Client:
    """Docker as alice, who has typed her password."""
    stranger(*login(forge), stdin=PASSWORD)
    return stranger


@pytest.fixture
def name(engine: Client, forge: Forge, repository: str, root: bytes) -> str:
    """The name of an image that the engine has and the registry has not."""
    name = f"{forge.host}/{repository}:1"
    make(engine, name, root)
    return name


def test_an_access_token_does_for_a_password(
    stranger: Client, forge: Forge, name: str
) -> None:
    """What is made on the site is typed in the place of the password."""
    secret = new_token(forge, "alice")
    assert "Login Succeeded" in stranger(*login(forge), stdin=secret)
    stranger("push", name)
    forget(stranger, name)
    stranger("pull", name)


def test_a_token_for_pulling_does_not_push(
    stranger: Client, forge: Forge, name: str
) -> None:
    """Docker says that it is the token that may not."""
    secret = new_token(forge, "alice", "--action", "pull")
    stranger(*login(forge), stdin=secret)
    said = stranger.refuses("push", name)
    assert "denied: You may not push here with this access token" in said


def test_a_token_for_pulling_pulls(alice: Client, forge: Forge, name: str) -> None:
    """It reaches what its user has pushed with more."""
    alice("push", name)
    forget(alice, name)
    alice("logout", forge.host)
    alice.refuses("pull", name)
    secret = new_token(forge, "alice", "--action", "pull")
    alice(*login(forge), stdin=secret)
    alice("pull", name)


def test_logout(alice: Client, forge: Forge, name: str) -> None:
    """Whoever has logged out is nobody."""
    alice("push", name)
    forget(alice, name)
    alice("logout", forge.host)
    assert forge.host not in stored(alice)
    assert "may require 'docker login'" in alice.refuses("pull", name)


def test_docker_keeps_no_password(alice: Client, forge: Forge) -> None:
    """Docker is offered a token that can be revoked, and stores that instead."""
    assert stored(alice)[forge.host]["identitytoken"].startswith("oci_ref_")


def test_what_docker_keeps_is_revoked_on_the_page(
    stranger: Client, own_forge: Forge, root: bytes
) -> None:
    """Its owner finds it among their tokens, and ends it with one click."""
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


def test_a_login_outlives_its_tokens(
    stranger: Client, own_forge: Forge, root: bytes
) -> None:
    """What Docker stores gets it new tokens when all of the old ones are void."""
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


def test_an_account_that_is_switched_off(
    stranger: Client, own_forge: Forge, root: bytes
) -> None:
    """It ends what is logged in at the next command, and lets nobody log in."""
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


def test_a_forge_without_passwords(
    stranger: Client, own_forge: Forge, root: bytes
) -> None:
    """Who types a password is told what to type, and what was had with one ends."""
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


def test_somebody_whose_password_is_not_enough(stranger: Client) -> None:
    """The host's reason for it reaches the person at the terminal."""
    with Forge("werkzeug", "tests/clients/second_factor.py") as forge:
        said = stranger.refuses(*login(forge, "bob"), stdin=BOBS_PASSWORD)
        assert f"unauthorized: {REASON}" in said
        said = stranger.refuses(*login(forge, "bob"), stdin="guessed")
        assert f"unauthorized: {WRONG}" in said
        stranger(*login(forge), stdin=PASSWORD)
        stranger(*login(forge, "bob"), stdin=new_token(forge, "bob"))


def new_token(forge: Forge, username: str, *limits: str) -> str:
    """Make an access token on the command line."""
    return forge.command("oci", "token", "create", username, *limits).strip()


def stored(docker: Client) -> dict[str, t.Any]:
    """Return what Docker knows about registries."""
    config = Path(docker.environment["DOCKER_CONFIG"], "config.json")
    found: dict[str, t.Any] = json.loads(config.read_text())["auths"]
    return found


def bearer_token(forge: Forge) -> str:
    """Get the token that whoever types a password gets."""
    form = f"grant_type=password&username=alice&password={PASSWORD}"
    with urllib.request.urlopen(f"{forge.url}/v2/token", form.encode()) as answer:
        token: str = json.load(answer)["access_token"]
        return token


def status(forge: Forge, bearer: str) -> int:
    """Return how a bearer token is received."""
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
    """Switch an account on or off, as the people who run the forge do."""
    with contextlib.closing(sqlite3.connect(forge.instance / "forge.db")) as db, db:
        change = "UPDATE user SET is_active = ? WHERE username = ?"
        db.execute(change, (active, username))
