"""The look and the accessibility of the pages of robots, publishers and rules."""

from __future__ import annotations

import typing as t

import pytest

from tests.support.forge import PASSWORD
from tests.support.forge import USERNAME
from tests.support.pusher import Pusher
from tests.support.signing import Key

from .conftest import ADMINISTRATOR
from .conftest import SCHEMES
from .conftest import WIDTHS
from .window import Window

pytestmark = pytest.mark.real

#: A phone with the light theme, and a desktop with the dark theme.
EITHER = pytest.mark.parametrize(
    ("width", "scheme"), list(zip(WIDTHS, SCHEMES, strict=True))
)
#: A text wider than any window, without a place for a line break.
LONG = "a" * 200
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(name="visited")
def _visited(
    open_window: t.Callable[..., Window], pusher: Pusher, width: int, scheme: str
) -> Window:
    """A window in which alice has signed in and has pushed two tags."""
    pusher.image("1.0", b"one")
    pusher.image("2.0", b"two")
    window = open_window(width, scheme)
    window.sign_in(USERNAME, PASSWORD)
    return window


def look(window: Window, address: str = "") -> None:
    """Check a page, or the present one, with all its sections open."""
    if address:
        window.go(address)
    window.unfold()
    window.check_layout()
    window.check_accessibility()
    window.check()


@EITHER
def test_robots_and_publishers_are_accessible(
    visited: Window, repository: str, scheme: str
) -> None:
    """The empty lists, the forms, their errors, the secrets and the robots."""
    window, page, name = visited, visited.page, f"robot-{scheme}"
    robots = f"/images/-/robots?repository={repository}"
    look(window, robots)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Description").fill(f"{HOSTILE} {LONG}")
    window.click("button", "Create robot")
    assert window.says("It is not shown again.")
    look(window)
    window.click("button", "Issue a new secret")
    look(window)
    window.click("button", "Disable")
    look(window)
    window.click("button", "Enable")
    window.click("link", "Add a publisher")
    page.get_by_label("Repository of the workflow").fill("acme")
    page.get_by_label("ID of the owner").fill("65")
    page.get_by_label("ID of the repository").fill("74")
    page.get_by_label("Workflow file").fill("release.yml")
    window.click("button", "Add the publisher")
    # The browser also logs responses with 422 in its console.
    assert "422" in " ".join(window.wrong)
    window.wrong.clear()
    look(window)
    page.get_by_label("Repository of the workflow").fill(f"acme/{'w' * 90}")
    window.click("button", "Add the publisher")
    assert window.says(f"can log in as {repository}+{name}.")
    look(window)
    look(window, robots)
    look(window, "/images/-/robots")
    look(window, f"/images/{USERNAME}/-/rules")
    # The forge lets only administrators manage the robots of a path.
    assert not page.get_by_role("link", name="Publishers").count()
    window.go(f"/images/{repository}/-/publishers")
    window.click("button", "Remove", exact=False)
    window.go(robots)
    window.click("link", f"{repository}+{name}")
    window.click("button", "Delete the robot")
    look(window)
    window.click("button", "Delete the robot")
    assert window.says("The robot was deleted.")


@EITHER
def test_policies_blocks_and_announced_deletions_are_accessible(
    visited: Window, repository: str
) -> None:
    """The rules of a repository and of a path, and what an image page says of them."""
    window, page = visited, visited.page
    settings, images = (
        f"/images/{repository}/-/settings",
        f"/images/{repository}/-/image",
    )
    look(window, f"{settings}/policy")
    page.get_by_label("Rules").fill(f"require signature by {'r' * 90}\nwarn only")
    window.click("button", "Save the rules")
    page.get_by_label("Name").fill("r" * 90)
    page.get_by_label("Public key", exact=False).fill(Key().pem)
    window.click("button", "Trust this signer")
    page.get_by_label("Name").fill("workflow")
    page.get_by_label("Public key", exact=False).fill(f"https://example.org/{LONG}")
    page.get_by_label("Issuer of the identity").fill("https://example.org")
    window.click("button", "Trust this signer")
    look(window)
    window.go(settings)
    page.get_by_label("Rules").fill("delete 1.* older than 30 days\ndelete 2.*")
    window.click("button", "Preview and save")
    look(window)
    window.click("button", "Save the rules")
    look(window)
    look(window, f"{images}/2.0")
    assert window.says("The next run of retention deletes the tag 2.0.")
    assert window.says("which only warns")
    page.get_by_label("Reason, which clients print").fill(f"{HOSTILE} {LONG}")
    window.click("button", "Block this image")
    look(window, f"{images}/2.0")
    assert window.says("no client can pull or push this image")
    look(window, f"/images/{repository}")
    look(window, f"{images}/1.0")
    assert window.says("If nothing changes, retention deletes the tag 1.0 on")
    look(window, f"/images/{repository}/-/rules/policy")


def test_administrator_finds_and_sets_the_quota_of_a_project(
    open_window: t.Callable[..., Window], pusher: Pusher, repository: str
) -> None:
    """The links lead from the list of images to the form, and the project shows it."""
    pusher.image("1.0", b"one")
    window = open_window()
    window.sign_in(ADMINISTRATOR, PASSWORD)
    window.go("/images/")
    window.click("link", "Administration")
    window.click("link", "Rules")
    window.page.get_by_label("Name").fill(f"{repository}/*")
    window.page.get_by_label("Largest size").fill("10 GB")
    window.click("button", "Save")
    assert window.says(f"The quota of {repository}/* was saved.")
    look(window)
    window.click("link", f"{repository}/*")
    assert window.says("of 10.0 GB used")
    look(window)
