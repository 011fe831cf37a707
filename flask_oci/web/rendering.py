"""Rendering of the pages, by Flask or by a function of the application."""

from __future__ import annotations

import typing as t

from flask import after_this_request
from flask import current_app
from flask import render_template

from ..services import services

if t.TYPE_CHECKING:
    from flask.wrappers import Response

#: A page: its HTML, or the response of an application that renders the pages itself.
Page: t.TypeAlias = "str | Response"


#: The media type of Atom feeds (RFC 4287).
FEED_TYPE: t.Final = "application/atom+xml"


def render(template: str, /, **context: t.Any) -> Page:
    """Return a page.

    :param template: the name of the template.
    :param context: the variables of the template.
    """
    function = services().hooks.page_renderer
    if function is None:
        return render_template(template, **context)
    page = function(template, **context)
    # The views add a status and headers, which a tuple already has.
    return page if isinstance(page, str) else current_app.make_response(page)


def announce_feed(address: str) -> None:
    """Name the feed of a page in a header of its response (RFC 8288)."""

    def add(response: t.Any) -> t.Any:
        response.headers.add(
            "Link", f'<{address}>; rel="alternate"; type="{FEED_TYPE}"'
        )
        return response

    after_this_request(add)
