"""Create screenshots of the pages: ``python docs/make_screenshots.py [FOLDER]``.

It also creates the pictures of the documentation, in ``docs/pictures``, with few
colours, so that they are small.

It starts the example forge with example content, and takes screenshots with Debian's
Chromium, at the widths of a phone and of a desktop, in light and dark.
"""

from __future__ import annotations

import io
import sys
import tempfile
import threading
import typing as t
from pathlib import Path

from picture_forge import Forge
from PIL import Image
from playwright.sync_api import Browser
from playwright.sync_api import Page
from playwright.sync_api import sync_playwright
from werkzeug.serving import make_server
from werkzeug.serving import WSGIRequestHandler

from tests.support.paths import ROOT

WIDTHS: t.Final = {"phone": 390, "desk": 1280}
SCHEMES: t.Final = ("light", "dark")
CHROMIUM: t.Final = "/usr/bin/chromium"

#: The addresses of the pages, by the names of their pictures.
PAGES: t.Final = {
    "first": "/",
    "project": "/projects/alice/weather",
    "project-images": "/images/?under=alice/weather",
    "repositories": "/images/",
    "repository": "/images/alice/weather",
    "image": "/images/alice/weather/-/image/2.1.0",
    "history": "/images/alice/weather/-/history",
    "compare": "/images/alice/weather/-/compare?from=2.0.3&to=2.1.0",
    "mistyped": "/images/alice/weather/-/compare?from=2.0.3&to=2.1.O",
    "settings": "/images/alice/weather/-/settings",
    "tokens": "/images/-/tokens",
    "robots": "/images/-/robots",
    "robot": "/images/-/robots/{robot}",
    "publishers": "/images/alice/-/publishers",
    "policy": "/images/alice/weather/-/settings/policy",
    "path-policy": "/images/alice/-/rules/policy",
    "blocked": "/images/alice/weather/-/image/2.0.3",
    "announced": "/images/alice/weather/-/image/2.0.0",
    "upstreams": "/images/-/upstreams",
    "storage": "/images/-/storage",
    "administration": "/images/-/administration",
    "events": "/images/-/events",
    "uploads": "/images/-/uploads",
    "reference": "/images/-/reference",
    "token-holders": "/images/-/users",
    "user-tokens": "/images/-/users?user=alice",
    "jobs": "/images/-/jobs",
    "rules": "/images/-/rules",
    "path-rules": "/images/alice/-/rules",
    "path-retention": "/images/alice/-/rules/retention",
    "retention": "/images/alice/weather/-/settings/retention",
    "webhooks": "/images/-/webhooks",
    "webhook": "/images/-/webhooks/{webhook}",
    "webhook-form": "/images/-/webhooks/new",
    "chart": "/images/alice/charts/weather/-/image/2.1.0",
    "sbom": "/images/alice/weather/-/image/{sbom}",
    "scan": "/images/alice/weather/-/image/{scan}",
    "provenance": "/images/alice/weather/-/image/{provenance}",
}

#: The pages of a user who is no administrator.
OWN_PAGES: t.Final = {
    "own-webhooks": "/images/-/webhooks",
    "own-webhook": "/images/-/webhooks/{own_webhook}",
    "own-webhook-form": "/images/-/webhooks/new?repository=bob/app",
}

#: The pages that are shown in German.
GERMAN: t.Final = {"german": "/images/alice/weather/-/image/2.1.0"}

#: The pages of which the repository has pictures, and the part that they show.
FRONT: t.Final = (
    *("repositories", "repository", "image", "sbom", "scan", "compare", "undo"),
    *("tokens", "robot", "publishers", "policy", "blocked", "announced"),
    *("retention", "path-rules", "own-webhook", "administration", "jobs"),
    *("reference", "german"),
)
PICTURES: t.Final = ROOT / "docs/pictures"
#: The number of colours of these pictures.
COLOURS: t.Final = 96
CLIP: t.Final = {"x": 80, "y": 0, "width": 1120, "height": 840}


class Quiet(WSGIRequestHandler):
    """A request handler without a log."""

    def log(self, type: str, message: str, *args: t.Any) -> None:
        """Write nothing."""


def sign_in(
    page: Page, url: str, name: str = "alice", word: str = "wonderland"
) -> None:
    """Sign in as a demonstration account."""
    page.goto(f"{url}/login")
    page.fill("#username", name)
    page.fill("#password", word)
    page.click("main button")


class Photographer:
    """Takes screenshots in one width and colour scheme.

    :param url: the address of the forge.
    :param folder: the folder of the pictures.
    :param values: the ids and digests in the addresses.
    """

    def __init__(
        self, url: str, folder: Path, values: dict[str, str], place: str, scheme: str
    ) -> None:
        self._url = url
        self._folder = folder
        self._values = values
        self._place = place
        self._scheme = scheme

    def visit(self, browser: Browser) -> None:
        """Take a screenshot of each page."""
        for name, word, pages in (
            ("alice", "wonderland", PAGES),
            ("bob", "builder", OWN_PAGES),
            ("alice", "wonderland", GERMAN),
        ):
            context = browser.new_context(
                locale="de-DE" if pages is GERMAN else "en-GB",
                color_scheme=t.cast(t.Any, self._scheme),
                viewport={"width": WIDTHS[self._place], "height": 900},
            )
            page = context.new_page()
            sign_in(page, self._url, name, word)
            for picture, address in pages.items():
                page.goto(self._url + address.format(**self._values))
                self._take(page, picture)
            if pages is PAGES:
                self._delete_and_undo(page)
            context.close()

    def _delete_and_undo(self, page: Page) -> None:
        """Show the message after a deletion, and leave everything as it was."""
        page.goto(f"{self._url}/images/alice/weather")
        for tag in ("2.0.0", "2.0.1"):
            page.check(f"input[name=tag][value='{tag}']")
        page.click(".oci-choosing button")
        page.click("main .oci-danger, .oci-panel .oci-danger")
        self._take(page, "undo")
        page.click(".oci-flash button")

    def _take(self, page: Page, name: str) -> None:
        page.wait_for_load_state("networkidle")
        path = self._folder / f"{name}-{self._place}-{self._scheme}.png"
        page.screenshot(path=path, full_page=True)
        if name in FRONT and self._place == "desk":
            path = PICTURES / f"{name}-{self._scheme}.png"
            height = page.evaluate("document.querySelector('main').scrollHeight") + 140
            clip = {**CLIP, "height": min(CLIP["height"], height)}
            content = page.screenshot(clip=t.cast(t.Any, clip))
            picture = Image.open(io.BytesIO(content)).convert("RGB")
            small = picture.quantize(COLOURS, dither=Image.Dither.NONE)
            small.save(path, optimize=True)


def photograph(url: str, folder: Path, values: dict[str, str]) -> None:
    """Take a screenshot of each page, in each width and colour scheme.

    :param values: the ids and digests in the addresses.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        for scheme in SCHEMES:
            for place in WIDTHS:
                Photographer(url, folder, values, place, scheme).visit(browser)
        browser.close()


def main() -> None:
    """Fill a temporary forge, serve it, and take the screenshots."""
    folder = Path(
        sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs/_build/screenshots"
    )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as instance:
        forge = Forge(instance)
        forge.fill()
        forge.deliver()
        server = make_server(
            "127.0.0.1", 0, forge.app, threaded=True, request_handler=Quiet
        )
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            values = {
                "robot": forge.robot,
                "webhook": forge.webhook,
                "own_webhook": forge.own_webhook,
                **forge.attached,
            }
            photograph(address, folder, values)
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    main()
