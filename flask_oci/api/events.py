"""The event log."""

from __future__ import annotations

import typing as t

from ..http.bounds import MAX_LONG_KEY
from ..services import services
from . import paging
from .access import require_admin
from .bodies import Event
from .bodies import EventList
from .bodies import Events

if t.TYPE_CHECKING:
    from ..catalog.outbox import StoredEvent


def events(query: EventList) -> Events:
    """List the events of all repositories, newest first, for administrators.

    :raises Unauthorized: if the caller is anonymous.
    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    """
    require_admin()
    size = paging.size(query)
    events = services().events.latest(
        size + 1,
        repository=query.repository or None,
        kind=query.kind or None,
        before=paging.number(query.next, MAX_LONG_KEY),
    )
    page, position = paging.paginate(events, size, lambda event: event.id)
    return Events(items=[as_body(event) for event in page], next=position)


def as_body(event: StoredEvent) -> Event:
    """Return the body that describes an event."""
    return Event(
        id=event.id,
        uuid=event.uuid,
        kind=event.kind,
        repository=event.repository,
        at=event.at,
        data=event.data,
    )
