"""The page of a repository: its tags, and the commands that pull an image."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from flask import current_app
from flask import request
from flask import url_for

from ..catalog import RepositoryInfo
from ..catalog.repository_contents import TagRow
from ..catalog.repository_list import Listed
from ..core import artifact_types
from ..services import services
from . import paging
from .access import authorize
from .access import may
from .rendering import Page
from .rendering import render
from .usage import latest_uploads

#: The maximum length of a description from an annotation, in characters.
MAX_ANNOTATION_LENGTH: t.Final = 2000

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
    about = catalog.repository_list.about(key)
    may_push = may("push", found)
    return render(
        "oci/repository.html",
        repository=found,
        about=about,
        owner=catalog.users.names([found.owner_id]).get(found.owner_id, ""),
        figures=catalog.repository_list.figures([key])[key],
        entries=entries,
        show=show,
        search=search,
        by_name=by_name,
        next_page=_next_page(rows),
        commands=_commands(found, newest),
        description=_description(about, newest),
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


def _description(about: Listed | None, newest: TagRow | None) -> str:
    """Return the description of a repository, or else of its newest image."""
    if about is not None and about.description:
        return about.description
    if newest is None:
        return ""
    contents = services().catalog.repository_contents
    annotations = contents.annotations(newest.manifest.id)
    description = annotations.get("org.opencontainers.image.description", "")
    return description[:MAX_ANNOTATION_LENGTH]


def _commands(repository: RepositoryInfo, newest: TagRow | None) -> dict[str, str]:
    """Return the commands that pull the newest image, by program."""
    if newest is None:
        return {}
    manifest, tag = newest.manifest, newest.name
    return artifact_types.commands(
        services().summaries.kind(repository.key, manifest),
        image_name(repository.name),
        "@" if tag is None else ":",
        tag or manifest.digest,
    )


def _next_page(rows: list[TagRow]) -> str | None:
    if len(rows) <= paging.PAGE:
        return None
    last = rows[paging.PAGE - 1]
    return paging.next_page(last.name or last.manifest.digest, last.moved_at)
