"""The event log and the webhooks, for administrators."""

from __future__ import annotations

import typing as t

from markupsafe import Markup

from .. import changes
from ..catalog.outbox import StoredEvent
from ..catalog.webhook_info import WebhookInfo
from ..http.bounds import MAX_LONG_KEY
from ..http.bounds import number
from ..services import services
from . import paging
from .access import require_admin
from .formatting import size
from .formatting import visibility_name
from .rendering import Page
from .rendering import render
from .translation import gettext

#: The number of events on the administration page.
LATEST: t.Final = 8


class EventRow(t.NamedTuple):
    """An event in a list."""

    event: StoredEvent
    text: Markup
    """A short description of the event, in the visitor's language."""


class Webhooks(t.NamedTuple):
    """The webhooks, and the numbers of their pending and failed deliveries."""

    all: list[WebhookInfo]
    pending: int
    failed: int


def events() -> Page:
    """Show the events of all repositories, newest first."""
    require_admin()
    before, name = paging.parameter("before"), paging.parameter("repository")
    found = services().events.latest(
        paging.PAGE + 1,
        repository=name or None,
        before=number(before, MAX_LONG_KEY),
    )
    page = found[: paging.PAGE]
    has_more = len(found) > len(page)
    return render(
        "oci/events.html",
        name=name,
        events=[_row(event) for event in page],
        next_page=paging.here(before=str(page[-1].id)) if has_more else None,
    )


def latest() -> list[EventRow]:
    """Return the most recent events."""
    return [_row(event) for event in services().events.latest(LATEST)]


def webhooks() -> Webhooks:
    """Return the webhooks and the state of their deliveries."""
    counts = services().events.counts()
    pending = counts["pending"] + counts["unassigned"]
    return Webhooks(services().events.webhooks(), pending, counts["dead"])


def webhooks_of(user: t.Any) -> Webhooks:
    """Return the webhooks of a user, without the numbers of all deliveries."""
    return Webhooks(services().events.webhooks(user), 0, 0)


def _row(event: StoredEvent) -> EventRow:
    return EventRow(event, text_of(event.kind, event.data))


def text_of(kind: str, data: dict[str, t.Any]) -> Markup:
    """Return the text that follows the name of the repository."""
    texts: dict[str, t.Callable[[], Markup]] = {
        changes.MANIFEST_PUSHED: lambda: gettext("an image was pushed"),
        changes.MANIFEST_DELETED: lambda: gettext("an image was deleted"),
        changes.MANIFEST_PULLED: lambda: gettext("an image was pulled"),
        changes.TAG_MOVED: lambda: (
            gettext("%(tag)s was moved", tag=data.get("tag"))
            if data.get("former_digest")
            else gettext("%(tag)s was created", tag=data.get("tag"))
        ),
        changes.TAG_DELETED: lambda: gettext("%(tag)s was deleted", tag=data["tag"]),
        changes.BLOB_PUSHED: lambda: gettext("a blob was pushed"),
        changes.BLOB_MOUNTED: lambda: gettext(
            "a blob was mounted from %(name)s", name=data.get("source")
        ),
        changes.BLOB_DELETED: lambda: gettext("a blob was deleted"),
        changes.REPOSITORY_CREATED: lambda: gettext("the repository was created"),
        changes.REPOSITORY_RENAMED: lambda: gettext(
            "the repository was renamed from %(name)s", name=data.get("former_name")
        ),
        changes.REPOSITORY_TRANSFERRED: lambda: gettext(
            "the repository was transferred to %(owner)s", owner=data.get("owner")
        ),
        changes.REPOSITORY_SHOWN: lambda: gettext(
            "the repository became %(visibility)s",
            visibility=visibility_name(data.get("visibility", "")),
        ),
        changes.REPOSITORY_DELETED: lambda: gettext("the repository was deleted"),
        changes.COLLECTED: lambda: gettext(
            "Garbage collection freed %(size)s", size=size(data["detail"]["freed"])
        ),
    }
    # A later version of the registry may have stored kinds that this one lacks.
    return texts[kind]() if kind in texts else Markup.escape(kind)
