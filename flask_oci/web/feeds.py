"""Atom feeds (RFC 4287) of recent pushes: of a repository, and of a list.

A feed needs the same permissions as the page that it belongs to. A feed reader sends no
cookies, so it gets the feeds of public images only.
"""

from __future__ import annotations

import re
import typing as t
from datetime import datetime
from datetime import timezone

from flask import render_template
from flask import request
from flask import url_for
from flask.wrappers import Response

from ..catalog import RepositoryInfo
from ..catalog.tag_history import Push
from ..http.repository_pages import RepositoryPages
from ..services import services
from . import repositories
from .access import authorize
from .rendering import FEED_TYPE
from .repository import image_name

#: The maximum number of entries of a feed.
MAX_ENTRIES: t.Final = 50

#: The number of repositories, those with the latest pushes, that the feed of a list
#: covers.
MAX_REPOSITORIES: t.Final = 25

#: The characters that XML 1.0 does not allow, which user names may have.
_INVALID: t.Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Entry(t.NamedTuple):
    """A push in a feed."""

    push: Push
    repository: str
    author: str

    @property
    def id(self) -> str:
        """The permanent identifier of the push (RFC 4151)."""
        authority, _, _ = image_name("").partition("/")
        host = authority.partition(":")[0] or "localhost"
        day = self.push.moved_at.strftime("%Y-%m-%d")
        return f"tag:{host},{day}:oci/push/{self.push.id}"


def feed() -> Response:
    """Show the latest pushes to the repositories of the visitor's list.

    It has the filters of the list. Like the list, it is empty for a namespace that does
    not exist or is hidden from the visitor.
    """
    search = repositories.search()
    pages = RepositoryPages(repositories.caller(), search, "pushed")
    found = pages.page(MAX_REPOSITORIES, None).found
    title = search.below or services().config.service
    address = url_for(".repositories", _external=True, under=search.below or None)
    return _feed([listed.info for listed in found], title, address)


def repository_feed(name: str) -> Response:
    """Show the latest pushes to a repository, to a visitor who may pull from it."""
    found = authorize(name)
    address = url_for(".repository", _external=True, name=found.name)
    return _feed([found], found.name, address)


def _feed(found: list[RepositoryInfo], title: str, address: str) -> Response:
    catalog, names = services().catalog, {info.key: info.name for info in found}
    pushes = catalog.tag_history.pushes(list(names), MAX_ENTRIES)
    users = catalog.users.names(push.pushed_by_id for push in pushes)
    entries = [
        Entry(push, names[push.repository_id], _valid(users.get(push.pushed_by_id, "")))
        for push in pushes
    ]
    changed = max(
        (push.moved_at for push in pushes),
        default=datetime.fromtimestamp(0, timezone.utc),
    )
    content = render_template(
        "oci/feed.xml",
        title=_valid(title),
        address=address,
        entries=entries,
        changed=changed,
        service=_valid(services().config.service),
    )
    response = Response(content, content_type=f"{FEED_TYPE}; charset=utf-8")
    response.last_modified = changed
    response.add_etag()
    response.make_conditional(request)
    return response


def _valid(text: str) -> str:
    """Return a text without the characters that XML does not allow."""
    return _INVALID.sub("\ufffd", text)
