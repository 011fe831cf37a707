"""The list of repositories, its filters, and the navigation."""

from __future__ import annotations

import typing as t

import pytest

from tests.support.forge import Forge
from tests.support.forge import PASSWORD
from tests.support.forge import USERNAME
from tests.support.pusher import Pusher

from .conftest import ADMINISTRATOR
from .conftest import SCHEMES
from .conftest import WIDTHS
from .window import Window

pytestmark = pytest.mark.real

#: A phone with the dark theme, and a desktop with the light theme.
EITHER = pytest.mark.parametrize(
    ("width", "scheme"), list(zip(WIDTHS, reversed(SCHEMES), strict=True))
)


def look(window: Window) -> None:
    """Check the layout and the accessibility of a page."""
    window.unfold()
    window.check_layout()
    window.check_accessibility()
    window.check()


@EITHER
def test_lists_are_accessible_and_filter_without_reload(
    open_window: t.Callable[..., Window],
    forge: Forge,
    pusher: Pusher,
    repository: str,
    width: int,
    scheme: str,
) -> None:
    """The front page, the filters and the graphs fit both widths and themes."""
    pusher.image("1.0", b"a layer")
    forge.command("oci", "visibility", repository, "public")
    # It measures the repository, which its process may do a minute later.
    forge.command("oci", "gc")
    window = open_window(width, scheme)
    window.go("/images/")
    assert window.says("Public images")
    look(window)
    window.sign_in(USERNAME, PASSWORD)
    window.go("/images/?under=" + repository)
    page = window.page
    page.get_by_label("Kind").select_option("chart")
    page.get_by_text("No repository matches these filters.").wait_for()
    look(window)
    page.get_by_label("Kind").select_option("image")
    page.locator("#repositories > li").wait_for()
    assert page.url.endswith("kind=image")
    window.go(f"/images/{repository}")
    assert page.get_by_role("img", name="Size by day").count() == 1
    look(window)


@EITHER
def test_navigation_reaches_every_page(
    open_window: t.Callable[..., Window], width: int, scheme: str
) -> None:
    """On a phone, a button opens the links as a sheet, which the keyboard closes."""
    window = open_window(width, scheme)
    window.sign_in(ADMINISTRATOR, PASSWORD)
    window.go("/images/")
    page = window.page
    menu = page.locator(".oci-menu")
    for name in ("Storage", "Access tokens", "Administration", "Repositories"):
        link = page.locator(".oci-nav").get_by_role("link", name=name)
        if width == WIDTHS[0]:
            assert not link.is_visible()
            menu.click()
            page.keyboard.press("Escape")
            assert not link.is_visible()
            menu.press("Enter")
        look(window)
        window.leave_by(link)
        assert page.locator(".oci-nav [aria-current]").inner_text() == name
