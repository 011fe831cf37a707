"""Descriptions in Markdown, if the extra ``web`` is installed.

Users write descriptions that other users read, so the HTML is sanitized in addition to
the safe renderer: no external images, no forms, no styles and no scripts.
"""

from __future__ import annotations

import typing as t
from functools import cache
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec

from markupsafe import Markup

#: The allowed elements.
TAGS: t.Final = frozenset(
    {"a", "blockquote", "br", "code", "del", "em", "hr", "pre", "p", "strong"}
    | {"h3", "h4", "h5", "h6", "li", "ol", "ul"}
    | {"table", "tbody", "td", "th", "thead", "tr"}
)


#: The maximum length of a rendered text, in characters; a longer text is shown as
#: plain text. The time to render some texts grows with the square of their length.
MAX_LENGTH: t.Final = 10_000

#: The maximum number of lines, and of characters that may begin a link or emphasis.
MAX_LINES: t.Final = 1000
MAX_MARKS: t.Final = 1000

#: The maximum number of cells of a table. The parser fills up each row of a table to
#: the width of its first one.
MAX_CELLS: t.Final = 5000


@cache
def is_available() -> bool:
    """Return True if the packages for Markdown are installed."""
    return all(find_spec(name) is not None for name in ("markdown_it", "nh3"))


def render(text: str) -> Markup | None:
    """Return a text as HTML; None if it would take too long or Markdown is not
    available."""
    return _rendered(text) if is_available() and _is_cheap(text) else None


def _is_cheap(text: str) -> bool:
    """Return True if a text is rendered in little time, whatever it contains."""
    if len(text) > MAX_LENGTH:
        return False
    lines = text.splitlines()
    columns = max((line.count("|") for line in lines), default=0)
    return (
        len(lines) <= MAX_LINES
        and sum(map(text.count, "[*_~`<&")) <= MAX_MARKS
        and len(lines) * columns <= MAX_CELLS
    )


@lru_cache(maxsize=64)
def _rendered(text: str) -> Markup:
    tokens = _parser().parse(text)
    for token in tokens:
        # h1 and h2 are the headings of the page and of the section.
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    html = _parser().renderer.render(tokens, _parser().options, {})
    cleaned = import_module("nh3").clean(
        html,
        tags=set(TAGS),
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow ugc",
    )
    return Markup(cleaned)  # noqa: S704


@cache
def _parser() -> t.Any:
    parser = import_module("markdown_it").MarkdownIt("commonmark", {"html": False})
    return parser.enable(["table", "strikethrough"])
