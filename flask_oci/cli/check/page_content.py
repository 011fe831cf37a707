"""The parts of an HTML page that a Content-Security-Policy may block."""

from __future__ import annotations

import typing as t
from html.parser import HTMLParser
from urllib.parse import urljoin
from urllib.parse import urlsplit

#: The directives that decide on a part, the most specific first.
Directives = tuple[str, ...]

_STYLES: t.Final = ("style-src-elem", "style-src", "default-src")
_STYLE_ATTRIBUTES: t.Final = ("style-src-attr", "style-src", "default-src")
_SCRIPTS: t.Final = ("script-src-elem", "script-src", "default-src")
_HANDLERS: t.Final = ("script-src-attr", "script-src", "default-src")
_IMAGES: t.Final = ("img-src", "default-src")
_FRAMES: t.Final = ("frame-src", "default-src")
_MEDIA: t.Final = ("media-src", "default-src")
_OBJECTS: t.Final = ("object-src", "default-src")

#: The attribute with an address, and the directives, by element. These two directives
#: do not fall back to ``default-src``.
_ADDRESSES: t.Final[dict[str, tuple[str, Directives]]] = {
    "audio": ("src", _MEDIA),
    "base": ("href", ("base-uri",)),
    "embed": ("src", _OBJECTS),
    "form": ("action", ("form-action",)),
    "iframe": ("src", _FRAMES),
    "img": ("src", _IMAGES),
    "object": ("data", _OBJECTS),
    "script": ("src", _SCRIPTS),
    "video": ("src", _MEDIA),
}

#: The directives of a link, by its relation.
_LINKS: t.Final[dict[str, Directives]] = {
    "stylesheet": _STYLES,
    "icon": _IMAGES,
    "manifest": ("manifest-src", "default-src"),
}

#: The types of ``<script>`` that browsers execute; others are data.
_SCRIPT_TYPES: t.Final = frozenset(
    {"", "module", "importmap", "text/javascript", "application/javascript"}
)


class Part(t.NamedTuple):
    """A part of a page: a file that it requests, or inline code."""

    label: str
    """Its name for the operator."""

    directives: Directives
    url: str = ""
    """The absolute address of a file; empty for inline code."""

    code: str = ""
    """Inline code."""

    nonce: str = ""


class PageParts(HTMLParser):
    """Collects the parts of a page.

    :param address: the address of the page.
    """

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self._inline: Part | None = None
        self.found: list[Part] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record the parts of an element."""
        values = {name: value or "" for name, value in attrs}
        nonce = values.get("nonce", "")
        for name, value in values.items():
            if name == "style":
                self._add(f'<{tag} style="…">', _STYLE_ATTRIBUTES, value)
            elif name.startswith("on"):
                self._add(f'<{tag} {name}="…">', _HANDLERS, value)
        attribute, directives = _ADDRESSES.get(tag, ("", ()))
        if tag == "link":
            attribute, directives = "href", _of_link(values.get("rel", ""))
        if directives and values.get(attribute):
            if url := _absolute(self._address, values[attribute]):
                self.found.append(Part(url, directives, url=url, nonce=nonce))
        elif tag == "style":
            self._inline = Part("an inline <style>", _STYLES, nonce=nonce)
        elif tag == "script" and values.get("type", "").lower() in _SCRIPT_TYPES:
            self._inline = Part("an inline <script>", _SCRIPTS, nonce=nonce)

    def handle_data(self, data: str) -> None:
        """Record inline code."""
        if self._inline is not None:
            self._inline = self._inline._replace(code=self._inline.code + data)

    def handle_endtag(self, tag: str) -> None:
        """Record the end of inline code."""
        if self._inline is not None and tag in ("style", "script"):
            self.found.append(self._inline)
            self._inline = None

    def _add(self, label: str, directives: Directives, code: str) -> None:
        self.found.append(Part(label, directives, code=code))


def _absolute(address: str, url: str) -> str:
    """Return an absolute address, or an empty one if it is invalid."""
    try:
        found = urljoin(address, url.strip())
        _ = urlsplit(found).port
    except ValueError:
        return ""
    return found


def _of_link(relation: str) -> Directives:
    words = relation.lower().split()
    return next((_LINKS[word] for word in words if word in _LINKS), ())
