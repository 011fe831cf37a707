"""Somebody who looks at the pages, without a browser to look with."""

from __future__ import annotations

import contextlib
import re
import typing as t
from html.parser import HTMLParser

import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from host import db
from host import User

#: Elements that can have no end.
VOID = frozenset({"area", "br", "hr", "img", "input", "link", "meta", "rect", "source"})

#: Elements that end no word.
INLINE = frozenset({"a", "code", "span", "strong", "time"})


class Page(HTMLParser):
    """What a browser makes of a page: texts, links, and elements that have to match."""

    def __init__(self, response: TestResponse) -> None:
        super().__init__()
        self.status = response.status_code
        self.html = response.text
        self.headers = response.headers
        self.text = ""
        self.links: dict[str, str] = {}
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._open: list[str] = []
        self._href: str | None = None
        self.feed(self.html)
        self.close()
        assert not self._open, f"nothing ends {self._open}"
        self.text = re.sub(r"\s+", " ", self.text).strip()

    def all(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of the elements of a name."""
        return [attributes for name, attributes in self.elements if name == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "a":
            self._href = attributes.get("href")
            self._label = ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that ends where it begins."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Insist on what began last ending first."""
        assert self._open, f"nothing begins what </{tag}> ends"
        assert self._open.pop() == tag
        if tag not in INLINE:
            self.text += " "
        if tag == "a" and self._href is not None:
            label = re.sub(r"\s+", " ", self._label).strip()
            self.links.setdefault(label, self._href)
            self._href = None

    def handle_data(self, data: str) -> None:
        """Note what a reader reads."""
        self.text += data
        if self._href is not None:
            self._label += data


class Visitor:
    """A browser of somebody, who may have signed in.

    :param username: who has.
    """

    def __init__(self, app: Flask, username: str | None = None) -> None:
        self.app = app
        self.client = app.test_client()
        if username is not None:
            with app.app_context():
                key = db.session.scalar(
                    sa.select(User.id).where(User.username == username)
                )
            with self.client.session_transaction() as session:
                session.update({"_user_id": str(key), "_fresh": True})

    def get(self, path: str, **query: str) -> Page:
        """Look at a page."""
        with self.client.get(path, query_string=query or None) as response:
            return Page(t.cast(TestResponse, response))

    def status(self, path: str) -> int:
        """Return the status of what is at an address."""
        with self.client.get(path) as response:
            return response.status_code

    def pages(self, path: str) -> t.Iterator[Page]:
        """Look at a list to its end."""
        while True:
            page = self.get(path)
            yield page
            if "Next page" not in page.links:
                return
            path = page.links["Next page"]


@contextlib.contextmanager
def statements(app: Flask) -> t.Iterator[list[str]]:
    """Collect the SQL statements that an application sends meanwhile."""
    sent: list[str] = []

    def note(_c: t.Any, _cursor: t.Any, statement: str, *_rest: t.Any) -> None:
        sent.append(statement)

    with app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
