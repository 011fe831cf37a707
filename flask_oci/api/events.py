"""What happened."""

from __future__ import annotations

from ..http.bounds import MOST_EVENTS
from ..services import services
from . import paging
from .access import administrator
from .bodies import Event
from .bodies import EventList
from .bodies import Events


def events(query: EventList) -> Events:
    """List what happened to everybody's repositories, to who runs the site, the last of
    it first.

    :raises Unauthorized: when nobody is known to ask.
    :raises Denied: when they do not run the site, or sent a token that does not manage
        everything of theirs.
    """
    administrator()
    most = paging.limit(query.limit)
    found = services().events.latest(
        most + 1,
        repository=query.repository or None,
        kind=query.kind or None,
        before=paging.number(query.next, MOST_EVENTS),
    )
    shown, place = paging.cut(found, most, lambda event: event.id)
    items = [
        Event(
            id=event.id,
            uuid=event.uuid,
            kind=event.kind,
            repository=event.repository,
            at=event.at,
            data=event.data,
        )
        for event in shown
    ]
    return Events(items=items, next=place)
