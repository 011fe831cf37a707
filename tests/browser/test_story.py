"""A user's tasks on the pages, in a browser."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from flask_oci.testing.manifests import CONFIG
from flask_oci.testing.manifests import image
from tests.clients.images import make_image
from tests.clients.images import root_file_system
from tests.clients.shell import Client
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import USERNAME
from tests.support.forge import wait_until
from tests.support.pusher import Pusher

from .conftest import SCHEMES
from .conftest import WIDTHS
from .window import Window

pytestmark = pytest.mark.real


def crane(folder: Path, forge: Forge, secret: str | None) -> Client:
    """Return crane, logged in as alice, or anonymous without a secret."""
    folder.mkdir(parents=True)
    program = tool("crane", "go-containerregistry, built by Go")
    client = Client((program,), {"DOCKER_CONFIG": str(folder)})
    if secret is not None:
        account = (f"--username={USERNAME}", "--password-stdin")
        client("auth", "login", *account, forge.host, stdin=secret)
    return client


def clipboard(window: Window) -> str:
    """Return the text in the clipboard."""
    return t.cast(str, window.page.evaluate("navigator.clipboard.readText()"))


@pytest.mark.parametrize(("width", "scheme"), list(zip(WIDTHS, SCHEMES, strict=True)))
def test_user_story_from_push_to_undo(
    forge: Forge,
    open_window: t.Callable[..., Window],
    repository: str,
    tmp_path: Path,
    width: int,
    scheme: str,
) -> None:
    """Push, search, read, compare, publish, pull, issue a token, delete and undo."""
    window = open_window(width, scheme)
    window.sign_in(USERNAME, PASSWORD)
    page, image = window.page, f"{forge.host}/{repository}"

    # The empty list shows the commands that push an image.
    window.go(f"/images/?under={repository}")
    assert window.says(f"docker login {forge.host} -u {USERNAME}")
    assert window.says(f"docker push {image}")

    # A client pushes two versions that share a layer.
    alice = crane(tmp_path / "alice", forge, PASSWORD)
    root = root_file_system(tool("busybox", "Debian's busybox-static"))
    for version in ("1.0", "2.0"):
        layout = make_image(root).write(tmp_path / version)
        alice("push", layout, f"{image}:{version}")

    # Search for the image and read its layers.
    window.go("/images/")
    page.get_by_label("Search by name").fill(repository.partition("/")[2])
    window.click("button", "Search")
    window.click("link", repository)
    assert window.says(f"docker pull {image}:2.0")
    page.get_by_role("button", name="Copy the command for Docker").click()
    wait_until(
        lambda: clipboard(window) == f"docker pull {image}:2.0", 30, "copying it"
    )
    window.click("link", "1.0")
    assert page.locator(".oci-layers > li").count() == 2
    assert window.says("linux/amd64")

    # Compare the two versions.
    window.click("link", "Compare")
    page.get_by_label("To", exact=True).fill("2.0")
    window.click("button", "Compare")
    assert window.says("New layers")
    assert window.says("Shared layers")

    # Make the repository public, and pull anonymously.
    stranger = crane(tmp_path / "stranger", forge, None)
    stranger.refuses("digest", f"{image}:1.0")
    window.click("link", "Settings")
    page.get_by_role("radio", name="Public").check()
    window.click("button", "Change")
    assert window.says("Everyone can see and pull it")
    window.click("button", "Make it public")
    assert window.says("The repository is public now.")
    digest = stranger("digest", f"{image}:1.0").strip()

    # Issue, use and revoke a token.
    window.go("/images/-/tokens")
    page.get_by_label("Name", exact=True).fill(f"for {repository}")
    window.click("button", "Create token")
    secret = page.locator("#secret").inner_text()
    machine = crane(tmp_path / "machine", forge, secret)
    assert machine("digest", f"{image}:1.0").strip() == digest
    window.click("button", f"Revoke for {repository}")
    assert window.says("The token was revoked.")
    machine.refuses("push", tmp_path / "1.0", f"{image}:3.0")

    # Delete both tags, and restore one.
    window.go(f"/images/{repository}")
    page.get_by_label("Select all on this page").check()
    window.click("button", "Delete selected tags")
    assert window.says("2.0, 1.0")
    window.click("button", "Delete the tags")
    assert window.says("There are no tags.")
    alice.refuses("digest", f"{image}:1.0")
    window.click("link", "History")
    window.click("button", f"Restore to {digest[7:19]} (1.0)")
    assert window.says("1.0 was restored.")
    assert alice("digest", f"{image}:1.0").strip() == digest


@pytest.mark.parametrize(("width", "scheme"), list(zip(WIDTHS, SCHEMES, strict=True)))
def test_rules_are_previewed_and_applied(
    forge: Forge,
    open_window: t.Callable[..., Window],
    pusher: Pusher,
    repository: str,
    width: int,
    scheme: str,
) -> None:
    """Protect tags, preview and apply retention rules, and restore a tag."""
    pusher.blob(CONFIG)
    for tag in ("v1", "pr-1", "pr-2"):
        pusher.blob(tag.encode())
        pusher.manifest(image(tag.encode()), tag)
    window = open_window(width, scheme)
    window.sign_in(USERNAME, PASSWORD)

    window.go(f"/images/{repository}/-/settings")
    window.page.get_by_label("Tags that no user can move or delete").fill("v*")
    window.leave_by(window.page.locator("form:has(#immutable)").get_by_role("button"))
    assert window.says("The patterns were saved.")
    window.page.get_by_label("Rules").fill("keep 1 newest of pr-*\ndelete *")
    window.click("button", "Preview and save")
    assert window.says("1 tag or image would be deleted")
    assert window.says("Protected by 'v*'")
    window.check_layout()
    window.check_accessibility()
    window.click("button", "Save the rules")
    assert window.says("1 tag or image would be deleted now")
    assert window.says("Number 1 of the newest tags")

    forge.command("oci", "retention", "run", repository)
    window.go(f"/images/{repository}")
    assert window.says("immutable")
    window.click("link", "History")
    assert window.says("was deleted")
    window.click("button", "(pr-", exact=False)
    assert window.says("was restored")

    forge.command("oci", "quota", "set", "--owner", USERNAME, "--bytes", "1GB")
    window.go("/images/-/storage")
    assert window.says("of 1.0 GB used")
    window.check_layout()
    window.check_accessibility()
    forge.command("oci", "quota", "unset", "--owner", USERNAME)
    window.check()
