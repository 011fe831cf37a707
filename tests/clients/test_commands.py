"""Commands in their own processes while the forge runs, and their effect on clients."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from flask_oci.testing import Image
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME
from tests.support.receiver import Receiver

from .images import make_image
from .images import read_layout
from .shell import Client

pytestmark = pytest.mark.real

TO, FROM = "--dest-tls-verify=false", "--src-tls-verify=false"
INSECURE = "--tls-verify=false"


class Terminal:
    """The command line of a forge.

    :param forge: the forge.
    """

    def __init__(self, forge: Forge) -> None:
        self._forge = forge

    def type(self, *arguments: str, status: int = 0, **settings: str) -> str:
        """Run ``flask oci ...``, and return its output."""
        done = self._forge.run("oci", *arguments, **settings)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def list(self, *arguments: str) -> t.Any:
        """Run a command with ``--json``, and return its document."""
        return json.loads(self.type(*arguments, "--json"))


@pytest.fixture(name="forge", scope="module")
def _forge() -> t.Iterator[Forge]:
    with Forge("gunicorn", OCI_WEBHOOK_NETWORKS='["127.0.0.0/8"]') as forge:
        yield forge


@pytest.fixture(name="terminal")
def _terminal(forge: Forge) -> Terminal:
    return Terminal(forge)


def logged_in(folder: Path, forge: Forge, username: str, secret: str) -> Client:
    """Return skopeo as a user."""
    folder.mkdir(exist_ok=True)
    program = tool("skopeo", "Debian's skopeo")
    client = Client((program,), {"REGISTRY_AUTH_FILE": str(folder / "auth.json")})
    account = ("--username", username, "--password-stdin")
    client("login", INSECURE, *account, forge.host, stdin=secret)
    return client


@pytest.fixture(name="skopeo")
def _skopeo(forge: Forge, tmp_path: Path) -> Client:
    """Skopeo as alice."""
    return logged_in(tmp_path / "alice", forge, USERNAME, PASSWORD)


@pytest.fixture(name="image")
def _image(
    forge: Forge, skopeo: Client, repository: str, root: bytes, tmp_path: Path
) -> Image:
    """An image that alice has pushed, with two tags."""
    image = make_image(root)
    layout = image.write(tmp_path / "layout")
    for tag in ("1", "2"):
        skopeo(
            "copy",
            TO,
            f"oci:{layout}:latest",
            f"docker://{forge.host}/{repository}:{tag}",
        )
    return image


def test_commands_list_and_change_what_clients_see(
    forge: Forge,
    terminal: Terminal,
    skopeo: Client,
    repository: str,
    image: Image,
    tmp_path: Path,
) -> None:
    """Deletions, renames and transfers affect the next client."""
    place = f"docker://{forge.host}/{repository}"
    assert repository in [row["name"] for row in terminal.list("repositories")]
    assert {row["tag"] for row in terminal.list("tags", repository)} == {"1", "2"}
    assert image.descriptor()["digest"] in terminal.type("show", f"{repository}:1")
    assert repository in terminal.type("usage")
    assert USERNAME in terminal.type("who-can", repository)

    terminal.type("delete", f"{repository}:2", "--yes")
    assert json.loads(skopeo("list-tags", INSECURE, place))["Tags"] == ["1"]

    terminal.type("export", f"{repository}:1", str(tmp_path / "exported"))
    assert read_layout(tmp_path / "exported") == image.digests
    terminal.type("import", str(tmp_path / "exported"), f"{USERNAME}/imported:1")
    terminal.type("copy", f"{repository}:1", f"{USERNAME}/copied:1")
    terminal.type("mirror", repository, f"{USERNAME}/mirrored")
    for name in ("imported", "copied", "mirrored"):
        pulled = tmp_path / name
        source = f"docker://{forge.host}/{USERNAME}/{name}:1"
        skopeo("copy", FROM, source, f"oci:{pulled}:1")
        assert read_layout(pulled) == image.digests

    stranger = Client(skopeo.command)
    assert not stranger.succeeds("inspect", INSECURE, f"{place}:1")
    terminal.type("visibility", repository, "public")
    assert stranger.succeeds("inspect", INSECURE, f"{place}:1")

    terminal.type("rename", repository, f"{USERNAME}/renamed")
    renamed = f"docker://{forge.host}/{USERNAME}/renamed:1"
    assert skopeo.succeeds("inspect", INSECURE, renamed)
    terminal.type("transfer", f"{USERNAME}/copied", "bob")
    bob = logged_in(tmp_path / "bob", forge, "bob", "builder")
    given = f"docker://{forge.host}/{USERNAME}/copied:1"
    assert bob.succeeds("inspect", INSECURE, given)
    assert not skopeo.succeeds("inspect", INSECURE, given)

    terminal.type("delete", f"{USERNAME}/renamed", "--yes")
    assert not skopeo.succeeds("inspect", INSECURE, renamed)
    terminal.type("gc")
    assert terminal.list("fsck") == []
    assert bob.succeeds("inspect", INSECURE, given)


def test_token_from_the_command_line_works_until_revoked(
    forge: Forge, terminal: Terminal, tmp_path: Path
) -> None:
    """It logs a user in."""

    def logs_in(secret: str) -> bool:
        program = tool("skopeo", "Debian's skopeo")
        file = {"REGISTRY_AUTH_FILE": str(tmp_path / "tried.json")}
        account = ("--username", USERNAME, "--password", secret)
        skopeo = Client((program,), file)
        return skopeo.succeeds("login", INSECURE, *account, forge.host)

    first, second = (
        terminal.list("token", "create", USERNAME, "--name", name)
        for name in ("first", "second")
    )
    assert {"first", "second"} <= {
        row["name"] for row in terminal.list("token", "list", USERNAME)
    }
    assert logs_in(first["secret"])
    terminal.type("token", "revoke", first["secret"])
    assert not logs_in(first["secret"])
    assert logs_in(second["secret"])
    terminal.type("token", "revoke-all", USERNAME)
    assert not logs_in(second["secret"])


@pytest.mark.usefixtures("image")
def test_events_of_a_push_are_listed_and_delivered(
    forge: Forge, terminal: Terminal, skopeo: Client, repository: str
) -> None:
    """A webhook receives them."""
    place = f"docker://{forge.host}/{repository}"
    with Receiver() as receiver:
        hook = terminal.list("webhooks", "add", receiver.url)
        assert [h["id"] for h in terminal.list("webhooks", "list")] == [hook["id"]]
        skopeo("copy", TO, FROM, f"{place}:1", f"{place}:3")
        moved = next(
            event
            for event in terminal.list("events", "list")
            if event["kind"] == "tag.moved"
        )
        terminal.type("events", "deliver")
        told = len(receiver.taken)
        assert repository in receiver.taken[-1].body.decode()
        terminal.type("events", "replay", str(moved["id"]))
        terminal.type("events", "deliver")
        assert len(receiver.taken) == told + 1
    assert repository in terminal.type("events", "show", str(moved["id"]))
    assert terminal.list("events", "dead") == []
    terminal.type("webhooks", "remove", str(hook["id"]))
    assert terminal.list("webhooks", "list") == []
    terminal.type("events", "prune")
    assert terminal.list("events", "list")


def test_check_through_the_public_address_leaves_nothing(
    forge: Forge, terminal: Terminal
) -> None:
    """It finds no problems."""
    before = terminal.list("repositories")
    found = terminal.list("check", "--url", forge.url, "--user", USERNAME)
    assert all(f["severity"] != "error" for f in found["findings"])
    assert terminal.list("repositories") == before
