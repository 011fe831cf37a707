"""The structures of events."""

from __future__ import annotations

import typing as t
from datetime import datetime

from msgspec import Meta

from .base import AsciiText
from .base import Body
from .base import Page
from .base import Paging


class Event(Body, frozen=True):
    """An event, as the audit log and webhooks have it."""

    id: t.Annotated[
        int,
        Meta(
            description="The id of the event. Later events of the same repository have"
            " greater ids."
        ),
    ]
    uuid: t.Annotated[
        str,
        Meta(
            description="The unique id with which the receiver of a webhook recognizes"
            " a repeated delivery."
        ),
    ]
    kind: t.Annotated[
        str, Meta(description="The type of the event, such as `manifest.pushed`.")
    ]
    repository: t.Annotated[
        str | None, Meta(description="The name of the repository, if there is one.")
    ]
    at: t.Annotated[datetime, Meta(description="The time of the event.")]
    data: t.Annotated[
        dict[str, t.Any], Meta(description="The other properties of the event.")
    ]


class Events(Page, frozen=True):
    """Events of all repositories, newest first."""

    items: t.Annotated[list[Event], Meta(description="The events.")]


class EventList(Paging, frozen=True):
    """The parameters of a list of events."""

    repository: t.Annotated[
        AsciiText,
        Meta(
            description="Only events of the repository with this name; empty for all"
            " repositories."
        ),
    ] = ""
    kind: t.Annotated[
        AsciiText, Meta(description="Only events of this type; empty for all types.")
    ] = ""
