"""What takes the space, and what is being pushed at this moment."""

from __future__ import annotations

import time
import typing as t
from datetime import datetime
from datetime import timezone

from flask import render_template
from flask.typing import ResponseReturnValue

from ..catalog.usage import RepositoryUsage
from ..catalog.usage import UploadRow
from ..http.bounds import number
from ..operations.health import look_at
from ..operations.health import MIN_FREE
from ..services import services
from . import events
from . import paging
from .access import administrators_only
from .access import admit
from .access import member

#: How many uploads, and owners, are listed.
MOST: t.Final = 50

#: After how many seconds without a byte an upload is no longer in progress.
IDLE: t.Final = 120

#: After how many seconds the page of uploads is loaded again.
REFRESH: t.Final = "3"


class Upload(t.NamedTuple):
    """An upload session, and how far it has got."""

    row: UploadRow
    user: str
    length: int
    in_progress: bool


def storage() -> str:
    """Show what the visitor's repositories take."""
    user, catalog = member(), services().catalog
    key = catalog.users.key_of(user)
    rows, next_page = _page_of_usage(key)
    return render_template(
        "oci/storage.html",
        totals=catalog.usage.totals(key),
        standing=services().quotas.show(owner=user),
        rows=rows,
        next_page=next_page,
        owners={},
    )


def administration() -> str:
    """Show everything there is, to who runs the site."""
    administrators_only()
    parts = services()
    usage = parts.catalog.usage
    rows, next_page = _page_of_usage(None)
    by_owner = usage.by_owner(MOST)
    began = datetime.now(timezone.utc) - parts.config.grace_period
    started = time.perf_counter()
    totals = usage.totals()
    return render_template(
        "oci/administration.html",
        totals=totals,
        milliseconds=round(1000 * (time.perf_counter() - started)),
        rows=rows,
        next_page=next_page,
        by_owner=by_owner,
        owners=parts.catalog.users.names(
            [key for key, _ in by_owner] + [row.info.owner_id for row in rows]
        ),
        collectable=usage.collectable(began),
        uploads=sum(upload.in_progress for upload in in_progress(None)),
        free=parts.storage.free(),
        health=look_at(parts.catalog, parts.config.storage_path, MIN_FREE),
        events=events.latest(),
        webhooks=events.webhooks(),
    )


def all_uploads() -> ResponseReturnValue:
    """Show every upload, to who runs the site."""
    administrators_only()
    return _uploads("oci/all_uploads.html", in_progress(None, MOST + 1))


def uploads(name: str) -> ResponseReturnValue:
    """Show what is being pushed to a repository, to who may push there."""
    repository = admit(name, "push")
    found = in_progress(repository.key, MOST + 1)
    return _uploads("oci/uploads.html", found, repository=repository)


def in_progress(repository_id: int | None, most: int = MOST) -> list[Upload]:
    """Return the last uploads that were begun, each with its size so far."""
    parts = services()
    rows = parts.catalog.usage.uploads(most, repository_id)
    names = parts.catalog.users.names(row.user_id for row in rows)
    found = []
    for row in rows:
        progress = parts.storage.upload_progress(row.uuid)
        if progress is not None:
            busy = time.time() - progress.touched_at < IDLE
            name = names.get(row.user_id, "")
            found.append(Upload(row, name, progress.length, busy))
    return found


def _uploads(
    template: str, found: list[Upload], **values: t.Any
) -> ResponseReturnValue:
    shown = found[:MOST]
    last = len(shown) if len(found) > MOST else 0
    page = render_template(template, uploads=shown, last=last, **values)
    # It is loaded again by itself while there is something to see.
    busy = any(upload.in_progress for upload in found)
    return page, 200, {"Refresh": REFRESH} if busy else {}


def _page_of_usage(owner_id: t.Any) -> tuple[list[RepositoryUsage], str | None]:
    page = number(paging.parameter("page")) or 0
    rows = services().catalog.usage.by_repository(
        paging.PAGE + 1, page * paging.PAGE, owner_id
    )
    more = len(rows) > paging.PAGE
    return rows[: paging.PAGE], paging.here(page=str(page + 1)) if more else None
