"""The structures of webhooks and of their deliveries."""

from __future__ import annotations

import typing as t
from datetime import datetime

import msgspec
from msgspec import Meta
from msgspec import UNSET
from msgspec import UnsetType

from ...events.webhooks import LONGEST_PATTERN
from ...events.webhooks import MAX_PATTERNS
from .base import Body
from .base import Page
from .base import Paging
from .events import Event

Url = t.Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"^[ -~]*$")]
Format = t.Literal["cloudevents", "distribution"]
State = t.Literal["pending", "delivered", "dead"]

_Pattern = t.Annotated[
    str, Meta(min_length=1, max_length=LONGEST_PATTERN, pattern=r"^[^\u0000]*$")
]
_Patterns = t.Annotated[list[_Pattern], Meta(min_length=1, max_length=MAX_PATTERNS)]
Kinds = t.Annotated[
    _Patterns, Meta(description="Patterns of the types of events, such as `tag.*`.")
]
Repositories = t.Annotated[
    _Patterns,
    Meta(
        description="Patterns of repository names, in which `*` matches any text."
        " Events about no repository need the pattern `*`."
    ),
]


class Webhook(Body, frozen=True):
    """An address that receives a request for each event. Its secret is never shown
    again."""

    id: t.Annotated[str, Meta(description="The id of the webhook.")]
    url: t.Annotated[str, Meta(description="The address that receives the requests.")]
    format: t.Annotated[Format, Meta(description="The format of the requests.")]
    kinds: t.Annotated[list[str], Meta(description="Patterns of the types of events.")]
    repositories: t.Annotated[
        list[str], Meta(description="Patterns of repository names.")
    ]
    enabled: t.Annotated[bool, Meta(description="Whether it receives events.")]
    failures: t.Annotated[
        int, Meta(description="The number of consecutive requests without an answer.")
    ]
    has_delivered: t.Annotated[
        bool,
        Meta(
            description="Whether it has accepted one of the deliveries that are still"
            " listed. A webhook that was never called has neither this nor failures."
        ),
    ]
    paused_until: t.Annotated[
        datetime | None,
        Meta(description="When deliveries resume; null if they are not paused."),
    ]
    created_at: t.Annotated[datetime, Meta(description="When it was added.")]
    owner: t.Annotated[
        str | None,
        Meta(description="The user whose webhook it is; null for one of the site."),
    ]
    accepted_at: t.Annotated[
        datetime | None,
        Meta(description="When it last accepted a test; null if it never did."),
    ]
    failing_since: t.Annotated[
        datetime | None,
        Meta(description="The first failed attempt since the last success, or null."),
    ]
    disabled_reason: t.Annotated[
        str | None,
        Meta(description="Why the registry disabled it; null if a user did."),
    ]


class Webhooks(Page, frozen=True):
    """The webhooks, oldest first."""

    items: t.Annotated[list[Webhook], Meta(description="The webhooks.")]


class NewWebhook(Body, frozen=True):
    """A webhook to add."""

    url: t.Annotated[Url, Meta(description="The address that receives the requests.")]
    format: t.Annotated[
        Format, Meta(description="CloudEvents, or the format of CNCF Distribution.")
    ] = "cloudevents"
    kinds: Kinds = msgspec.field(default_factory=lambda: ["*"])
    repositories: Repositories = msgspec.field(default_factory=lambda: ["*"])
    own: t.Annotated[
        bool,
        Meta(
            description="Whether it is a webhook of the caller, for one repository or"
            " one path such as `website/*` that the caller manages. Always so for users"
            " who are not administrators."
        ),
    ] = False


class WebhookChange(Body, frozen=True):
    """Changes to a webhook. Omitted fields stay as they are."""

    url: t.Annotated[Url | UnsetType, Meta(description="The new address.")] = UNSET
    format: t.Annotated[Format | UnsetType, Meta(description="The new format.")] = UNSET
    kinds: t.Annotated[
        _Patterns | UnsetType,
        Meta(description="The new patterns of the types of later events."),
    ] = UNSET
    repositories: t.Annotated[
        _Patterns | UnsetType,
        Meta(description="The new patterns of repository names, for later events."),
    ] = UNSET
    enabled: t.Annotated[
        bool | UnsetType,
        Meta(
            description="False disables the webhook: its deliveries wait, and it never"
            " receives the events that happen until it is enabled."
        ),
    ] = UNSET


class WebhookSecret(Body, frozen=True):
    """The secret of a webhook, which only this response contains."""

    id: t.Annotated[str, Meta(description="The id of the webhook.")]
    secret: t.Annotated[
        str, Meta(description="The key by which the receiver verifies signatures.")
    ]


class DeliveryAttempt(Body, frozen=True):
    """One request to a webhook, and its result."""

    at: t.Annotated[datetime, Meta(description="The time of the request.")]
    status: t.Annotated[
        int | None, Meta(description="The status of the answer; null without answer.")
    ]
    error: t.Annotated[
        str | None,
        Meta(description="Why the request failed; null if the webhook accepted it."),
    ]
    milliseconds: t.Annotated[int, Meta(description="The duration of the request.")]


class Delivery(Body, frozen=True):
    """The delivery of an event to a webhook."""

    state: t.Annotated[
        State, Meta(description="`dead` deliveries are given up after all attempts.")
    ]
    due_at: t.Annotated[
        datetime | None,
        Meta(description="When it is attempted again, if it is pending."),
    ]
    event: t.Annotated[Event, Meta(description="The event.")]
    attempts: t.Annotated[
        list[DeliveryAttempt], Meta(description="The requests, oldest first.")
    ]


class Deliveries(Page, frozen=True):
    """The deliveries to a webhook, newest event first."""

    items: t.Annotated[list[Delivery], Meta(description="The deliveries.")]


class DeliveryList(Paging, frozen=True):
    """The parameters of a list of deliveries."""

    state: t.Annotated[
        t.Literal["", "pending", "delivered", "dead"],
        Meta(description="Only deliveries in this state; empty for all."),
    ] = ""


class Replay(Body, frozen=True):
    """Finished deliveries to make again."""

    events: t.Annotated[
        t.Annotated[
            list[t.Annotated[int, Meta(ge=1, le=2**63 - 1)]],
            Meta(min_length=1, max_length=100),
        ]
        | None,
        Meta(description="The ids of events; null for all dead deliveries."),
    ] = None


class Replayed(Body, frozen=True):
    """The effect of a replay."""

    deliveries: t.Annotated[
        int, Meta(description="The number of deliveries that are due again.")
    ]
