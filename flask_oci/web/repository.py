"""The page of a repository: its tags, and the commands that pull an image."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from flask import current_app
from flask import request
from flask import url_for

from ..catalog import RepositoryInfo
from ..catalog.repository_contents import TagRow
from ..core import image_links
from ..core.pull_commands import pull_commands
from ..core.pull_commands import PullCommands
from ..core.summaries import Entry
from ..services import services
from . import activity
from . import paging
from .access import authorize
from .access import may
from .rendering import announce_feed
from .rendering import Page
from .rendering import render
from .upstreams import source_of
from .usage import latest_uploads

#: The lists of the page.
Show = t.Literal["tags", "untagged", "attached"]


def repository(name: str) -> Page:
    """Show a repository to a visitor who may pull from it."""
    found = authorize(name)
    catalog, key = services().catalog, found.key
    show = t.cast(Show, paging.parameter("show"))
    show = show if show in ("untagged", "attached") else "tags"
    search = paging.parameter("q") if show == "tags" else ""
    by_name = paging.parameter("sort") == "name"
    behind = paging.behind()
    if show == "untagged":
        rows = catalog.repository_contents.untagged(key, paging.PAGE + 1, behind)
    else:
        rows = catalog.repository_contents.tags(
            key,
            paging.PAGE + 1,
            search=search,
            attached=show == "attached",
            newest_first=not by_name,
            behind=behind,
        )
    entries = services().summaries.of(key, rows[: paging.PAGE])
    is_start = show == "tags" and not (search or by_name or behind)
    newest = rows[0] if is_start and rows else _newest(key)
    annotations = catalog.repository_contents.annotations
    notes = annotations(newest.manifest.id) if newest else {}
    about = catalog.repository_list.about(key)
    blocked = services().blocks.blocked(
        found,
        [row.manifest.digest for row in (*rows[: paging.PAGE], newest) if row],
    )
    offered, summary = newest, entries[0] if is_start and entries else None
    if newest and newest.manifest.digest in blocked:
        usable = (e for e in entries if e.row.manifest.digest not in blocked)
        summary = next(usable, None) if show == "tags" else None
        offered = summary.row if summary else None
    may_push = may("push", found)
    announce_feed(url_for(".repository_feed", name=found.name))
    return render(
        "oci/repository.html",
        repository=found,
        about=about,
        activity=activity.of(key),
        source=source_of(found, [entry.row.name for entry in entries]),
        owner=catalog.users.names([found.owner_id]).get(found.owner_id, ""),
        figures=catalog.repository_list.figures([key])[key],
        entries=entries,
        blocked=blocked,
        blocked_newest=newest and offered is not newest and newest.name,
        show=show,
        search=search,
        by_name=by_name,
        next_page=_next_page(rows),
        commands=_commands(found, offered, summary),
        description=(about and about.description) or image_links.description(notes),
        links=image_links.links(notes),
        may_delete=may("delete", found),
        protection=services().config.protection | catalog.rules.protection(key),
        uploads=sum(u.in_progress for u in latest_uploads(key)) if may_push else 0,
    )


def image_name(name: str) -> str:
    """Return the name of a repository, after the host of the registry."""
    return f"{_registry_host()}/{name}"


def _registry_host() -> str:
    """Return the host of the registry, which may differ from the host of the pages."""
    parts = services()
    if parts.config.external_url:
        return urlsplit(parts.config.external_url).netloc
    endpoint = f"{parts.blueprint}.support"
    (rule, *_) = current_app.url_map.iter_rules(endpoint)
    if rule.subdomain or rule.host:
        return urlsplit(url_for(endpoint, _external=True)).netloc
    return request.host


def _newest(repository_id: int) -> TagRow | None:
    """Return the newest tag of a repository, or else its newest untagged manifest."""
    contents = services().catalog.repository_contents
    found = contents.tags(repository_id, 1) or contents.untagged(repository_id, 1)
    return found[0] if found else None


def _commands(
    repository: RepositoryInfo, newest: TagRow | None, summary: Entry | None
) -> list[PullCommands]:
    """Return the commands that pull the newest image, by program.

    :param summary: the summary of the newest image, if the page has it.
    """
    if newest is None:
        return []
    return pull_commands(
        summary.kind
        if summary
        else services().summaries.kind(repository.key, newest.manifest),
        image_name(repository.name),
        newest.name,
        newest.manifest.digest,
    )


def _next_page(rows: list[TagRow]) -> str | None:
    if len(rows) <= paging.PAGE:
        return None
    last = rows[paging.PAGE - 1]
    return paging.next_page(last.name or last.manifest.digest, last.moved_at)
