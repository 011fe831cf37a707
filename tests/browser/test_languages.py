"""The pages in other languages, with longer words and wider characters."""

from __future__ import annotations

import typing as t

import pytest

from tests.support.forge import PASSWORD
from tests.support.forge import USERNAME
from tests.support.pusher import Pusher

from .conftest import ADMINISTRATOR
from .conftest import WIDTHS
from .window import Window

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("locale", "title"), [("de-DE", "Zugriffstoken"), ("ja-JP", "アクセストークン")]
)
def test_pages_in_other_languages_fit_and_are_accessible(
    open_window: t.Callable[..., Window],
    pusher: Pusher,
    repository: str,
    locale: str,
    title: str,
) -> None:
    """On a phone and on a desk; the browser selects the language."""
    for tag in ("1.0", "2.0"):
        pusher.image(tag, tag.encode())
    window = open_window(locale=locale)
    window.sign_in(USERNAME, PASSWORD)
    own = (
        *("/images/", f"/images/{repository}", f"/images/{repository}/-/image/1.0"),
        f"/images/{repository}/-/compare?from=1.0&to=2.0",
        *(f"/images/{repository}/-/history", f"/images/{repository}/-/settings"),
        *("/images/-/storage", "/images/-/tokens"),
    )
    for address in own:
        check(window, address)
    assert window.page.locator("h1", has_text=title).count() == 1
    other = open_window(locale=locale)
    other.sign_in(ADMINISTRATOR, PASSWORD)
    for address in ("/images/-/administration", "/images/-/webhooks/new"):
        check(other, address)


def check(window: Window, address: str) -> None:
    """Check a page at both widths."""
    window.go(address)
    for width in WIDTHS:
        window.page.set_viewport_size({"width": width, "height": 900})
        window.check_layout()
    window.check_accessibility()
