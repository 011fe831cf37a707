"""Upstreams: the source of cached images, and the list for administrators."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field

from ..services import services
from ..upstreams.manager import UpstreamManager
from .access import require_admin
from .rendering import Page
from .rendering import render

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ..catalog import RepositoryInfo
    from ..catalog.upstream_records import UpstreamCheck


@dataclass(frozen=True)
class CacheSource:
    """The upstream of a cached repository, as every visitor may know it."""

    host: str
    """The host of the upstream, or its namespace if it is configured no more."""

    address: str
    """The host and the name of the repository there."""

    answered_at: datetime | None
    is_failing: bool
    checks: dict[str, UpstreamCheck] = field(default_factory=dict)
    """The last checks of tags, by tag."""

    def checked_at(self, tag: str | None) -> datetime | None:
        """Return when the upstream was last asked about a tag, or None."""
        check = self.checks.get(tag or "")
        return None if check is None else check.checked_at

    def is_deleted(self, tag: str | None) -> bool:
        """Return True if the upstream has deleted a tag."""
        check = self.checks.get(tag or "")
        return check is not None and check.is_deleted


def source_of(
    repository: RepositoryInfo, tags: Sequence[str | None]
) -> CacheSource | None:
    """Return the source of a cached repository, or None for any other.

    :param tags: the tags on the page; None is a manifest without one.
    """
    namespace = repository.upstream
    if namespace is None:
        return None
    records = services().catalog.upstreams
    upstream = services().config.upstreams.get(namespace)
    host = namespace if upstream is None else upstream.host
    status = records.states.status(namespace)
    return CacheSource(
        host,
        f"{host}/{repository.name.partition('/')[2]}",
        status.answered_at,
        status.is_failing,
        records.checks_of(repository.key, [tag for tag in tags if tag]),
    )


def upstreams() -> Page:
    """Show the upstreams, their limits and their failures, to administrators."""
    require_admin()
    parts = services()
    manager = UpstreamManager(
        parts.catalog, lambda: parts.upstreams, lambda: parts.config.upstreams
    )
    return render("oci/upstreams.html", upstreams=manager.list())
