"""A browser window that fails tests on errors."""

from __future__ import annotations

import contextlib
import typing as t

#: How bad what axe-core finds may not be.
SERIOUS = frozenset({"serious", "critical"})


class Window:
    """A page of a real browser, which remembers what went wrong.

    :param page: a page of Playwright's.
    """

    def __init__(self, page: t.Any) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("dialog", self._on_dialog)

    def sign_in(self, username: str, password: str) -> None:
        """Sign in as somebody does."""
        self.page.goto("/login")
        self.page.fill("#username", username)
        self.page.fill("#password", password)
        self.leave_by(self.page.locator("main button"))

    def go(self, address: str) -> None:
        """Look at a page."""
        self.page.goto(address)

    def click(self, role: str, name: str, *, exact: bool = True) -> None:
        """Click what a screen reader calls that, and wait for the page that comes."""
        self.leave_by(self.page.get_by_role(role, name=name, exact=exact).first)

    def leave_by(self, way: t.Any) -> None:
        """Click a link or a button that leads elsewhere, and wait for that page.

        A click alone returns as soon as the browser has begun to go there, when the
        page to be read is still the old one.

        :param way: a locator of Playwright's.
        """
        with self.page.expect_navigation():
            way.click()

    @contextlib.contextmanager
    def held(self) -> t.Iterator[None]:
        """Have no page load itself again, as it would in the middle of a check."""
        self.page.route("**/*", _without_refresh)
        try:
            yield
        finally:
            self.page.unroute("**/*", _without_refresh)

    def unfold(self) -> None:
        """Open whatever is folded away."""
        folded = self.page.locator("details:not([open]) > summary")
        while folded.count():
            folded.first.click()

    def says(self, text: str) -> bool:
        """Tell whether a text is to be read on the page."""
        return text in " ".join(self.page.locator("main").inner_text().split())

    def check(self) -> None:
        """Fail if anything went wrong."""
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
