"""A browser window that fails tests on errors."""

from __future__ import annotations

import contextlib
import typing as t

#: The severities of axe-core that fail a test.
SERIOUS = frozenset({"serious", "critical"})


class Window:
    """A page of a real browser, which records errors.

    :param page: a page of Playwright's.
    """

    def __init__(self, page: t.Any) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("dialog", self._on_dialog)

    def sign_in(self, username: str, password: str) -> None:
        """Sign in with the login form."""
        self.page.goto("/login")
        self.page.fill("#username", username)
        self.page.fill("#password", password)
        self.leave_by(self.page.locator("main button"))

    def go(self, address: str) -> None:
        """Open a page."""
        self.page.goto(address)

    def click(self, role: str, name: str, *, exact: bool = True) -> None:
        """Click the element with an accessible name, and wait for the next page."""
        self.leave_by(self.page.get_by_role(role, name=name, exact=exact).first)

    def leave_by(self, way: t.Any) -> None:
        """Click a link or a button that opens another page, and wait for that page.

        A click alone returns as soon as the browser has begun to go there, when the
        page to be read is still the old one.

        :param way: a locator of Playwright's.
        """
        with self.page.expect_navigation():
            way.click()

    @contextlib.contextmanager
    def held(self) -> t.Iterator[None]:
        """Prevent pages from reloading during a check."""
        self.page.route("**/*", _without_refresh)
        try:
            yield
        finally:
            self.page.unroute("**/*", _without_refresh)

    def unfold(self) -> None:
        """Open all collapsed sections."""
        folded = self.page.locator("details:not([open]) > summary")
        while folded.count():
            folded.first.click()

    def says(self, text: str) -> bool:
        """Return True if a text is visible on the page."""
        return text in " ".join(self.page.locator("main").inner_text().split())

    def check(self) -> None:
        """Fail if the page had errors."""
        assert not self.wrong, f"{self.page.url}: {self.wrong}"

    def check_layout(self) -> None:
        """Fail if the page is wider than the window."""
        wide = self.page.evaluate(
            "document.documentElement.scrollWidth - window.innerWidth"
        )
        assert wide <= 0, f"{self.page.url} is {wide} pixels too wide"

    def check_accessibility(self) -> None:
        """Fail if axe-core finds anything serious."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        serious = [
            (rule["id"], [node["html"] for node in rule["nodes"]])
            for rule in found
            if rule["impact"] in SERIOUS
        ]
        assert not serious, f"{self.page.url}: {serious}"

    def _on_console(self, message: t.Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text}")

    def _on_dialog(self, dialog: t.Any) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()


def _without_refresh(route: t.Any) -> None:
    answer = route.fetch()
    headers = {k: v for k, v in answer.headers.items() if k.lower() != "refresh"}
    route.fulfill(response=answer, headers=headers)
