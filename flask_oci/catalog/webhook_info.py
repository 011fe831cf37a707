"""Webhooks as the catalog returns them."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from fnmatch import fnmatchcase

from ..clock import as_utc
from ..rules.paths import path_text
from ..rules.paths import paths_of

#: The columns with lists of patterns.
LISTS: t.Final = ("kinds", "repositories")

#: The columns with a time or None.
_TIMES: t.Final = (
    "paused_until",
    "disabled_at",
    "failing_since",
    "tested_at",
    "accepted_at",
)


class TooManyWebhooks(ValueError):
    """An owner, a repository or a path has the maximum number of webhooks."""


class OwnerScope(t.NamedTuple):
    """The owner of a webhook, and its bounds."""

    owner_id: t.Any
    """The key of the user."""

    scope: str
    """The name of a repository, or a path such as ``website/*``."""

    most: int
    """The maximum number of webhooks of the owner."""

    most_in_scope: int
    """The maximum number of webhooks of owners for the scope."""


@dataclass(frozen=True, slots=True)
class WebhookInfo:
    """A URL that is notified of events."""

    id: str
    url: str
    form: str
    """``cloudevents`` or ``distribution``."""

    kinds: tuple[str, ...]
    """Patterns of event kinds."""

    repositories: tuple[str, ...]
    """Patterns of repository names."""

    after_id: int
    """The key of the last event before the webhook was added. Only later events are
    delivered."""

    created_at: datetime
    failures: int
    """The number of consecutive attempts without an answer."""

    paused_until: datetime | None
    """When deliveries resume, or None if the webhook is not paused."""

    disabled_at: datetime | None
    """When a user disabled the webhook, or None if it is enabled."""

    secret: str = field(repr=False)
    """The key of the signatures."""

    disabled_reason: str | None = None
    """Why the registry disabled the webhook; None if a user did."""

    failing_since: datetime | None = None
    """The time of the first failed attempt since the last success, or None."""

    tested_at: datetime | None = None
    """When the last test was started, or None."""

    accepted_at: datetime | None = None
    """When it last accepted a test, or None."""

    scope: str | None = None
    """The repository or the path of a webhook of an owner; None for one of the site."""

    owner_id: t.Any = None
    """The key of the user who added it for a repository or a path that this user
    manages; None for a webhook of the site."""

    has_delivered: bool = False
    """Whether it has accepted one of the stored deliveries."""

    def wants(self, kind: str, names: Sequence[str]) -> bool:
        """Return True if the webhook is notified of an event.

        :param kind: the kind of the event.
        :param names: the names of the event's repository; empty if the event is not
            about a single repository.
        """
        return (
            self.disabled_at is None
            and any(fnmatchcase(kind, pattern) for pattern in self.kinds)
            and any(self.covers(name) for name in (names or ("*",)))
        )

    def covers(self, name: str) -> bool:
        """Return True if the webhook is notified of events of a repository."""
        if self.scope is not None:
            return self.scope in scopes_of(name)
        return any(fnmatchcase(name, pattern) for pattern in self.repositories)

    def is_open(self, now: datetime) -> bool:
        """Return True if deliveries to the webhook may be made now."""
        is_paused = self.paused_until is not None and self.paused_until > now
        return self.disabled_at is None and not is_paused


def scopes_of(name: str) -> list[str]:
    """Return the scopes that contain a repository: its name, and each path."""
    return [name, *(path_text(path) for path in paths_of(name) if path)]


def as_webhook(row: t.Any) -> WebhookInfo:
    """Return the webhook of a row with its columns."""
    fields = {
        **row._mapping,
        **{name: tuple(getattr(row, name)) for name in LISTS},
        "created_at": as_utc(row.created_at),
        **{
            name: as_utc(getattr(row, name)) if getattr(row, name) else None
            for name in _TIMES
        },
    }
    return WebhookInfo(**fields)
