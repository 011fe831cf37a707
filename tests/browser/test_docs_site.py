"""The built documentation in a browser: widths, colour schemes, buttons and links."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
import typing as t
import zipfile
from http.server import SimpleHTTPRequestHandler
from http.server import ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.doc_blocks import DOCS
from tests.support.forge import unavailable

from .conftest import SCHEMES
from .conftest import WIDTHS
from .window import Window

pytestmark = pytest.mark.real

#: The seconds after which a build has failed.
PATIENCE = 240

#: Returns the elements of a page that are cut by the window, or widen the page. An
#: element may be wider than the window if it scrolls inside another one.
WIDE = """() => {
    const width = window.innerWidth;
    const scrolls = (element) => {
        for (let at = element.parentElement; at; at = at.parentElement)
            if (/auto|scroll/.test(getComputedStyle(at).overflowX) &&
                at !== document.body && at !== document.documentElement &&
                at.getBoundingClientRect().right <= width + 1) return true;
        return false;
    };
    const wide = [...document.querySelectorAll("main *, .page *")].filter(
        (element) => {
            const box = element.getBoundingClientRect();
            return box.width && box.left < width && box.right > width + 1 &&
                !element.closest(".sidebar-drawer, .toc-drawer, svg, .visually-hidden")
                && !scrolls(element);
        });
    if (document.documentElement.scrollWidth > width) wide.push(document.body);
    return wide.map((element) => element.outerHTML.slice(0, 120));
}"""


class Quiet(SimpleHTTPRequestHandler):
    """A file server without a log."""

    def log_message(self, format: str, *args: t.Any) -> None:
        """Write nothing."""


@pytest.fixture(name="build", scope="module")
def _build(tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[str], Path]:
    """Return a function that builds the documentation in a format."""
    if not find_spec("furo"):
        unavailable("Sphinx is missing: pip install --group docs")
    folder = tmp_path_factory.mktemp("docs")

    def build(builder: str) -> Path:
        command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", builder]
        folders = [str(folder / "doctrees"), str(DOCS), str(folder / builder)]
        subprocess.run([*command, "-d", *folders], check=True, timeout=PATIENCE)
        return folder / builder

    return build


@pytest.fixture(name="site", scope="module")
def _site(build: t.Callable[[str], Path]) -> t.Iterator[tuple[str, list[str]]]:
    """The address of the built documentation, and the paths of its pages."""
    folder = build("dirhtml")
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        pages = sorted(
            f"/{path.parent.relative_to(folder)}/".replace("/./", "/")
            for path in folder.rglob("index.html")
        )
        yield f"http://127.0.0.1:{server.server_port}", pages
        server.shutdown()
        thread.join()


@pytest.fixture(name="window")
def _window(chromium: t.Any, site: tuple[str, list[str]]) -> t.Iterator[Window]:
    """A window at the documentation."""
    context = chromium.new_context(
        base_url=site[0], permissions=["clipboard-read", "clipboard-write"]
    )
    window = Window(context.new_page())
    yield window
    context.close()
    window.check()


def test_pages_fit_each_width_in_light_and_dark(
    window: Window, site: tuple[str, list[str]]
) -> None:
    """No element is wider than the window, unless it scrolls."""
    wide = {}
    for path in site[1]:
        window.go(path)
        for width in WIDTHS:
            window.page.set_viewport_size({"width": width, "height": 900})
            for scheme in SCHEMES:
                window.page.emulate_media(color_scheme=t.cast(t.Any, scheme))
                if found := window.page.evaluate(WIDE):
                    wide[path, width, scheme] = found[:3]
    assert not wide
    assert len(site[1]) > 30


@pytest.mark.parametrize("scheme", SCHEMES)
def test_pages_are_accessible(window: Window, scheme: str) -> None:
    """The front page, and pages with the most kinds of content."""
    window.page.emulate_media(color_scheme=t.cast(t.Any, scheme))
    for path in ("/", "/commands/", "/api/", "/conformance/", "/search/"):
        window.go(path)
        window.check_accessibility()


def test_reader_finds_each_page_and_copies_a_command(window: Window) -> None:
    """On a phone, by the menu; the button copies a command without its prompt."""
    page = window.page
    page.set_viewport_size({"width": 390, "height": 900})
    window.go("/")
    page.locator("label[for=__navigation]:visible").first.click()
    window.leave_by(page.get_by_role("link", name="Retention", exact=True))
    block = page.locator(".highlight", has_text="$ flask oci retention").first
    block.hover()
    block.get_by_role("button", name="Copy").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("flask oci retention")
    assert "$" not in copied


def test_documentation_for_reading_offline_is_one_file(
    build: t.Callable[[str], Path],
) -> None:
    """It contains each page."""
    (book,) = build("epub").glob("*.epub")
    with zipfile.ZipFile(book) as archive:
        names = archive.namelist()
    assert {"commands.xhtml", "api.xhtml", "retention.xhtml"} <= set(names)
