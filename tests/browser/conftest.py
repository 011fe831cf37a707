"""A real browser, and the example forge."""

from __future__ import annotations

import contextlib
import itertools
import json
import typing as t

import pytest

from flask_oci.config.languages import LANGUAGES
from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import tool
from tests.support.forge import unavailable
from tests.support.forge import USERNAME
from tests.support.pusher import Pusher

from .window import Window

_numbers = itertools.count(1)

#: The administrator of the forge.
ADMINISTRATOR = "root"
#: The issuer of the identity tokens of jobs. Nothing is fetched from it.
ISSUER = "https://token.actions.githubusercontent.com"
#: The widths of a phone and of a desk, in pixels.
WIDTHS = (390, 1280)
SCHEMES = ("light", "dark")


@pytest.fixture(scope="session")
def forge() -> t.Iterator[Forge]:
    """The deployed example forge."""
    settings = {
        "OCI_LANGUAGES": json.dumps(LANGUAGES),
        # Nothing is fetched from it.
        "OCI_UPSTREAMS": json.dumps({"hub": "docker.io"}),
        "OCI_OIDC_ISSUERS": json.dumps({ISSUER: "github"}),
        "OCI_OIDC_AUDIENCE": "https://forge.example.org",
    }
    with Forge("gunicorn", **settings) as started:
        admin = ("--admin", "--password", PASSWORD)
        started.command("create-user", ADMINISTRATOR, *admin)
        yield started


@pytest.fixture(scope="session", name="chromium")
def _chromium() -> t.Iterator[t.Any]:
    """Debian's Chromium, headless."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        unavailable("playwright is missing: pip install playwright")
    program = tool("chromium", "Debian's chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture(name="open_window")
def _open_window(chromium: t.Any, forge: Forge) -> t.Iterator[t.Callable[..., Window]]:
    """Return a function that opens a window; an error in a window fails the test."""
    with contextlib.ExitStack() as stack:

        def open_window(
            width: int = 1280, scheme: str = "light", locale: str = "en-US"
        ) -> Window:
            context = chromium.new_context(
                base_url=forge.url,
                locale=locale,
                color_scheme=scheme,
                viewport={"width": width, "height": 900},
                permissions=["clipboard-read", "clipboard-write"],
            )
            stack.callback(context.close)
            window = Window(context.new_page())
            stack.callback(window.check)
            return window

        yield open_window


@pytest.fixture(name="window")
def _window(open_window: t.Callable[..., Window]) -> Window:
    """A window in which alice has signed in."""
    window = open_window()
    window.sign_in(USERNAME, PASSWORD)
    return window


@pytest.fixture(name="repository")
def _repository() -> str:
    """A repository that no other test uses."""
    return f"{USERNAME}/image{next(_numbers)}"


@pytest.fixture(name="pusher")
def _pusher(forge: Forge, repository: str) -> Pusher:
    """A pusher of alice's, for the repository of the test."""
    return Pusher(forge, repository)
