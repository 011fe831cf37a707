"""Storage usage, uploads in progress, and the administration page."""

from __future__ import annotations

import time
import typing as t
from datetime import datetime
from datetime import timezone

from flask.typing import ResponseReturnValue

from ..catalog.repository_usage import RepositoryUsage
from ..catalog.usage import UploadRow
from ..http.bounds import number
from ..operations.health import look_at
from ..operations.health import MIN_FREE
from ..services import services
from . import events
from . import paging
from .access import authorize
from .access import require_admin
from .access import signed_in_user
from .rendering import Page
from .rendering import render

#: The maximum number of listed uploads, and of listed owners.
MAX_ROWS: t.Final = 50

#: The time without a byte after which an upload counts as idle, in seconds.
IDLE_AFTER: t.Final = 120

#: The time after which the page of uploads reloads, in seconds.
REFRESH: t.Final = "3"


class Upload(t.NamedTuple):
    """An upload session and its progress."""

    row: UploadRow
    user: str
    length: int
    in_progress: bool


def storage() -> Page:
    """Show the storage usage of the visitor's repositories."""
    user, catalog = signed_in_user(), services().catalog
    key = catalog.users.key_of(user)
    rows, neighbours = _page_of_usage(key)
    return render(
        "oci/storage.html",
        totals=catalog.usage.totals_of(key),
        usage=services().quotas.show(owner=user),
        rows=rows,
        **neighbours,
        owners={},
    )


def administration() -> Page:
    """Show the totals, the events and all repositories, to administrators."""
    require_admin()
    parts = services()
    usage = parts.catalog.usage
    rows, neighbours = _page_of_usage(None)
    by_owner = usage.by_owner(MAX_ROWS)
    began = datetime.now(timezone.utc) - parts.config.lease_lifetime
    started = time.perf_counter()
    totals = usage.totals()
    return render(
        "oci/administration.html",
        totals=totals,
        milliseconds=round(1000 * (time.perf_counter() - started)),
        rows=rows,
        **neighbours,
        by_owner=by_owner,
        owners=parts.catalog.users.names(
            [key for key, _ in by_owner.owners] + [row.info.owner_id for row in rows]
        ),
        collectable=usage.collectable(began),
        uploads=sum(upload.in_progress for upload in latest_uploads(None)),
        free=parts.storage.free(),
        health=look_at(
            parts.catalog,
            parts.storage,
            parts.content.storage_identity,
            MIN_FREE,
            parts.jobs,
        ),
        events=events.latest(),
        webhooks=events.webhooks(),
    )


def all_uploads() -> ResponseReturnValue:
    """Show all uploads, to administrators."""
    require_admin()
    return _uploads("oci/all_uploads.html", latest_uploads(None, MAX_ROWS + 1))


def uploads(name: str) -> ResponseReturnValue:
    """Show the uploads to a repository, to users who may push to it."""
    repository = authorize(name, "push")
    found = latest_uploads(repository.key, MAX_ROWS + 1)
    return _uploads("oci/uploads.html", found, repository=repository)


def latest_uploads(repository_id: int | None, maximum: int = MAX_ROWS) -> list[Upload]:
    """Return the latest uploads and their progress, to one repository or to all."""
    parts = services()
    rows = parts.catalog.usage.uploads(maximum, repository_id)
    names = parts.catalog.users.names(row.user_id for row in rows)
    found = []
    for row in rows:
        progress = parts.storage.upload_progress(row.uuid)
        if progress is not None:
            is_busy = time.time() - progress.touched_at < IDLE_AFTER
            name = names.get(row.user_id, "")
            found.append(Upload(row, name, progress.length, is_busy))
    return found


def _uploads(
    template: str, found: list[Upload], **values: t.Any
) -> ResponseReturnValue:
    shown = found[:MAX_ROWS]
    last = len(shown) if len(found) > MAX_ROWS else 0
    page = render(template, uploads=shown, last=last, **values)
    is_busy = any(upload.in_progress for upload in found)
    return page, 200, {"Refresh": REFRESH} if is_busy else {}


def _page_of_usage(
    owner_id: t.Any,
) -> tuple[list[RepositoryUsage], dict[str, str | None]]:
    """Return the repositories of the page, and the addresses of its neighbours."""
    page = number(paging.parameter("page")) or 0
    rows = services().catalog.usage.by_repository(
        paging.PAGE + 1, page * paging.PAGE, owner_id
    )
    following = paging.here(page=str(page + 1)) if len(rows) > paging.PAGE else None
    # An empty parameter is left out.
    previous = paging.here(page=str(page - 1) if page > 1 else "") if page else None
    return rows[: paging.PAGE], {"next_page": following, "previous_page": previous}
