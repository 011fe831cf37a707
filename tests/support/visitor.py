"""A visitor of the pages, without a browser."""

from __future__ import annotations

import contextlib
import re
import typing as t
from html.parser import HTMLParser

import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.host import db
from tests.support.host import INACTIVE
from tests.support.host import User
from tests.support.statements import collected

#: Elements without an end tag.
VOID = frozenset({"area", "br", "hr", "img", "input", "link", "meta", "source", "wbr"})

#: Elements that do not separate words.
INLINE = frozenset({"a", "code", "span", "strong", "time", "wbr"})


class Form(t.NamedTuple):
    """A form with its preset fields."""

    action: str
    method: str
    fields: dict[str, list[str]]


class Page(HTMLParser):
    """A parsed page: its texts, links and elements, whose tags have to match."""

    def __init__(self, response: TestResponse) -> None:
        super().__init__()
        self.status = response.status_code
        self.path = response.request.path
        self.html = response.text
        self.headers = response.headers
        self.text = ""
        self.links: dict[str, str] = {}
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._open: list[str] = []
        self._href: str | None = None
        self._forms: list[Form] = []
        self.location = response.location
        if self.location is not None:
            return
        self.feed(self.html)
        self.close()
        assert not self._open, f"nothing ends {self._open}"
        self.text = re.sub(r"\s+", " ", self.text).strip()

    def all(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of all elements with this tag."""
        return [attributes for name, attributes in self.elements if name == tag]

    def forms(self) -> list[Form]:
        """Return the forms that send a POST."""
        return [form for form in self._forms if form.method == "post"]

    def field(self, name: str) -> str:
        """Return the value of the first field with this name."""
        return next(f.fields[name][0] for f in self._forms if name in f.fields)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element."""
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "form":
            method = attributes.get("method", "get")
            self._forms.append(Form(attributes.get("action", ""), method, {}))
        if tag == "input" and self._forms and attributes.get("type") == "hidden":
            name, value = attributes["name"], attributes["value"]
            self._forms[-1].fields.setdefault(name, []).append(value)
        if tag == "a":
            self._href = attributes.get("href")
            self._label = ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element without content."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Check that the tag closes the last open element."""
        assert self._open, f"nothing begins what </{tag}> ends"
        assert self._open.pop() == tag
        if tag not in INLINE:
            self.text += " "
        if tag == "a" and self._href is not None:
            label = re.sub(r"\s+", " ", self._label).strip()
            self.links.setdefault(label, self._href)
            self._href = None

    def handle_data(self, data: str) -> None:
        """Record visible text."""
        self.text += data
        if self._href is not None:
            self._label += data


class Visitor:
    """A visitor, who may have signed in.

    :param username: the signed-in user; None is an anonymous visitor.
    """

    def __init__(self, app: Flask, username: str | None = None) -> None:
        self.app = app
        self.client = app.test_client()
        self._subject = ""
        if username is not None:
            with app.app_context():
                key = db.session.scalar(
                    sa.select(User.id).where(User.username == username)
                )
            with self.client.session_transaction() as session:
                session.update({"_user_id": str(key), "_fresh": True})
            # For Flask-Login, a user with a disabled account is anonymous.
            self._subject = "" if username in INACTIVE else str(key)

    def get(self, path: str, **query: str) -> Page:
        """Get a page."""
        with self.client.get(path, query_string=query or None) as response:
            return Page(t.cast(TestResponse, response))

    def status(self, path: str) -> int:
        """Return the status of a page."""
        with self.client.get(path) as response:
            return response.status_code

    def token(self, path: str) -> str:
        """Return the token of the registry's forms on a page."""
        return self.get(path).field("oci_form")

    def send(self, path: str, **fields: str | list[str]) -> Page:
        """Send a form with the token of one of the visitor's pages."""
        with self.app.test_request_context():
            parts = self.app.extensions["oci"]
            token = parts.form_tokens.sign(self._subject)
        return self._post(path, {**fields, "oci_form": token})

    def follow_form(self, page: Page) -> Page:
        """Send the first form of a page unchanged."""
        form = page.forms()[0]
        return self._post(form.action or page.path, form.fields)

    def _post(self, path: str, fields: t.Mapping[str, str | list[str]]) -> Page:
        with self.client.post(path, data=fields) as response:
            return Page(t.cast(TestResponse, response))

    def pages(self, path: str) -> t.Iterator[Page]:
        """Yield all pages of a list."""
        while True:
            page = self.get(path)
            yield page
            if "Next page" not in page.links:
                return
            path = page.links["Next page"]


@contextlib.contextmanager
def statements(app: Flask) -> t.Iterator[list[str]]:
    """Collect the SQL statements that an application sends within the block."""
    with app.app_context():
        engine = db.engine
    with collected(engine) as sent:
        yield sent
