"""Pruning: deleting records that have expired, or whose subject does not exist."""

from __future__ import annotations

import typing as t

from ..clock import utcnow

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..catalog import Catalog
    from ..config import Config

EVENTS: t.Final = "old events"
TOKENS: t.Final = "expired tokens"


def prunings(catalog: Catalog, config: Config) -> dict[str, Callable[[], int | None]]:
    """Return the functions that prune, by what they delete. Each returns the number of
    deleted rows, if it counts them."""
    return {
        EVENTS: lambda: catalog.outbox.prune(utcnow() - config.event_lifetime),
        TOKENS: catalog.expired_records.prune_credentials,
        "uses of identity tokens": catalog.publishers.prune_uses,
        "upstreams": catalog.upstreams.prune,
        "facts about deleted artifacts": catalog.attachments.prune,
        "scans of deleted images": catalog.scans.prune,
        "old statistics": catalog.repository_days.prune,
    }
