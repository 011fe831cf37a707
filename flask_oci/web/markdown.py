"""Descriptions in Markdown, where the extra ``web`` is installed.

Somebody has written them for others to look at, so what comes out is cleaned, however
safe the renderer is: no images from elsewhere, no forms, no styles, no scripts.
"""

from __future__ import annotations

import typing as t
from functools import cache
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec

from markupsafe import Markup

#: Text, and no more than text needs.
TAGS: t.Final = frozenset(
    {"a", "blockquote", "br", "code", "del", "em", "hr", "pre", "p", "strong"}
    | {"h3", "h4", "h5", "h6", "li", "ol", "ul"}
    | {"table", "tbody", "td", "th", "thead", "tr"}
)


#: How many characters of Markdown are rendered; a longer text is shown as it is. Some
#: texts take a time that grows with the square of their length, at each look.
LONGEST: t.Final = 10_000


@cache
def is_there() -> bool:
    """Tell whether what it takes is installed."""
    return all(find_spec(name) is not None for name in ("markdown_it", "nh3"))


def render(text: str) -> Markup | None:
    """Return a text as HTML, or None where it is too long or nothing can make it so."""
    if not is_there() or len(text) > LONGEST:
        return None
    return _rendered(text)


@lru_cache(maxsize=64)
def _rendered(text: str) -> Markup:
    tokens = _parser().parse(text)
    for token in tokens:
        # The title of the page, and that of the section, come first.
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
