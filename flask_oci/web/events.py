"""What happened, to whom runs the site."""

from __future__ import annotations

import typing as t

from flask import render_template
from markupsafe import Markup

from .. import changes
from ..catalog.outbox import StoredEvent
from ..catalog.webhooks import WebhookInfo
from ..http.bounds import MOST_EVENTS
from ..http.bounds import number
from ..services import services
from . import paging
from .access import administrators_only
from .formatting import size
from .translation import gettext

#: How many events the page that has other things on it shows.
FEW: t.Final = 8


class Shown(t.NamedTuple):
    """An event, as a person reads it."""

    event: StoredEvent
    text: Markup
    """What happened."""


class Webhooks(t.NamedTuple):
    """Who is told of events, and how that goes."""

    all: list[WebhookInfo]
    waiting: int
    dead: int


def events() -> str:
    """Show what happened to everybody's repositories, the last of it first."""
    administrators_only()
    before, name = paging.parameter("before"), paging.parameter("repository")
    found = services().events.latest(
        paging.PAGE + 1,
        repository=name or None,
        before=number(before, MOST_EVENTS),
    )
    shown = found[: paging.PAGE]
    more = len(found) > len(shown)
    return render_template(
        "oci/events.html",
        name=name,
        events=[_shown(event) for event in shown],
        webhooks=webhooks(),
        next_page=paging.here(before=str(shown[-1].id)) if more else None,
    )


def latest() -> list[Shown]:
    """Return the last few."""
    return [_shown(event) for event in services().events.latest(FEW)]


def webhooks() -> Webhooks:
    """Return who is told of events, and how many have yet to be."""
    counts = services().events.counts()
    waiting = counts["pending"] + counts["unassigned"]
    return Webhooks(services().events.webhooks(), waiting, counts["dead"])


def _shown(event: StoredEvent) -> Shown:
    return Shown(event, _text(event.kind, event.data))


def _text(kind: str, data: dict[str, t.Any]) -> Markup:
    """Write what happened, behind the name of what it happened to."""
    known: dict[str, t.Callable[[], Markup]] = {
        changes.MANIFEST_PUSHED: lambda: gettext("an image was pushed"),
        changes.MANIFEST_DELETED: lambda: gettext("an image was deleted"),
        changes.MANIFEST_PULLED: lambda: gettext("an image was pulled"),
        changes.TAG_MOVED: lambda: (
            gettext("%(tag)s was moved", tag=data.get("tag"))
            if data.get("former_digest")
            else gettext("%(tag)s was made", tag=data.get("tag"))
        ),
        changes.TAG_DELETED: lambda: gettext("%(tag)s was deleted", tag=data["tag"]),
        changes.BLOB_PUSHED: lambda: gettext("a blob was pushed"),
        changes.BLOB_MOUNTED: lambda: gettext(
            "a blob was mounted from %(name)s", name=data.get("source")
        ),
        changes.BLOB_DELETED: lambda: gettext("a blob was deleted"),
        changes.REPOSITORY_CREATED: lambda: gettext("it was made"),
        changes.REPOSITORY_RENAMED: lambda: gettext(
            "it was called %(name)s before", name=data.get("former_name")
        ),
        changes.REPOSITORY_TRANSFERRED: lambda: gettext(
            "it was given to %(owner)s", owner=data.get("owner")
        ),
        changes.REPOSITORY_SHOWN: lambda: gettext(
            "it became %(visibility)s", visibility=data.get("visibility")
        ),
        changes.REPOSITORY_DELETED: lambda: gettext("it was deleted"),
        changes.COLLECTED: lambda: gettext(
            "A collection freed %(size)s", size=size(data["detail"]["freed"])
        ),
    }
    # What a later version has written is better shown than not.
    return known[kind]() if kind in known else Markup.escape(kind)
