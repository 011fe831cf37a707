"""Why something is kept: the chain from a digest to the tags that need it."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from ..digest import Digest
from ..models import utcnow

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..catalog import Catalog
    from ..config import Config


def explain(config: Config, catalog: Catalog, digest: Digest) -> Iterator[str]:
    """Say, line by line, what keeps a blob or a manifest from being collected.

    :param digest: its digest; whether it exists does not matter.
    """
    holders = catalog.inspection.holders(digest)
    if not holders:
        yield f"No repository has {digest}."
    for holder in holders:
        yield f"{holder.name}"
        if holder.leased_at is not None:
            until = holder.leased_at + timedelta(seconds=config.grace_period)
            if until > utcnow():
                yield f"  promised to a client until {until:%Y-%m-%d %H:%M} UTC"
        reasons = list(_reasons(catalog, holder.id, str(digest), "  ", set()))
        yield from reasons or ["  nothing in it needs this"]


def _reasons(
    catalog: Catalog, repository_id: int, digest: str, indent: str, seen: set[str]
) -> Iterator[str]:
    seen.add(digest)
    if tags := catalog.inspection.tags_of(repository_id, digest):
        yield f"{indent}tagged {', '.join(tags)}"
    for relation, other in catalog.inspection.keepers(repository_id, digest):
        if other not in seen:
            yield f"{indent}{relation} {other}"
            yield from _reasons(catalog, repository_id, other, indent + "  ", seen)
