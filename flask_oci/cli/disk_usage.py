"""``flask oci usage``: disk usage by owner and by repository."""

from __future__ import annotations

import typing as t

import click
from flask.cli import with_appcontext

from ..clock import utcnow
from ..rules.quota import readable
from ..rules.wording import plural
from ..services import services
from . import output
from .common import error_messages
from .common import user_named

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..catalog.repository_usage import RepositoryUsage

#: The number of rows of one query.
BATCH_SIZE: t.Final = 200

#: A limit above the length of every list.
UNLIMITED: t.Final = 2**31 - 1


@click.command()
@with_appcontext
@click.option("--owner", metavar="USERNAME", help="Only repositories of this user.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="List only the N largest owners and repositories.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def usage(owner: str | None, limit: int | None, as_json: bool) -> None:
    """Show the disk usage by owner and by repository.

    A blob that several repositories share is stored once. It counts once in the total,
    once for each owner and once for each repository, so the parts may add up to more
    than the total. 'Alone' is the size of the blobs that no other repository has:
    deleting the repository frees this much.
    """
    with error_messages():
        found = _usage(owner, UNLIMITED if limit is None else limit)
    if as_json:
        output.as_json(found)
    else:
        _write(found, owner)


def _usage(owner: str | None, limit: int) -> dict[str, t.Any]:
    parts = services()
    catalog = parts.catalog
    key = None if owner is None else catalog.users.key_of(user_named(owner))
    usage = catalog.usage
    totals = usage.totals() if owner is None else usage.totals_of(key)
    rows = list(_by_repository(limit, key))
    by_owner = [] if owner else usage.by_owner(limit).owners
    names = catalog.users.names(
        [k for k, _ in by_owner] + [row.info.owner_id for row in rows]
    )
    found: dict[str, t.Any] = {
        "total": totals._asdict(),
        "owners": [{"owner": names.get(k), "bytes": count} for k, count in by_owner],
        "repositories": [
            {
                "name": row.info.name,
                "owner": names.get(row.info.owner_id),
                "bytes": row.bytes,
                "alone": row.alone,
            }
            for row in rows
        ],
    }
    if owner is None:
        garbage = usage.collectable(utcnow() - parts.config.lease_lifetime)
        found["collectable"] = {"blobs": garbage.blobs, "bytes": garbage.bytes}
        if not garbage.is_complete:
            found["collectable"]["is_complete"] = False
        found["free"] = parts.storage.free()
    return found


def _by_repository(limit: int, owner_id: t.Any) -> Iterator[RepositoryUsage]:
    read = 0
    while read < limit:
        size = min(BATCH_SIZE, limit - read)
        batch = services().catalog.usage.by_repository(size, read, owner_id)
        yield from batch
        read += size
        if len(batch) < size:
            return


def _write(found: dict[str, t.Any], owner: str | None) -> None:
    total = found["total"]
    output.facts(
        (
            ("Owner", owner),
            ("Repositories", total["repositories"]),
            ("Blobs", total["blobs"]),
            ("Size", readable(total["bytes"])),
        )
    )
    if owner is None:
        garbage, free = found["collectable"], found["free"]
        blobs = plural(garbage["blobs"], "blob")
        least = "" if garbage.get("is_complete", True) else "at least "
        output.facts(
            (
                ("Unreferenced", f"{least}{readable(garbage['bytes'])} in {blobs}"),
                ("Free", None if free is None else readable(free)),
            )
        )
    if found["owners"]:
        click.echo()
        output.table(
            ("owner", "size"),
            ((r["owner"] or "(none)", readable(r["bytes"])) for r in found["owners"]),
        )
    if found["repositories"]:
        click.echo()
        output.table(
            ("repository", "owner", "size", "alone"),
            (
                (
                    r["name"],
                    r["owner"],
                    readable(r["bytes"]),
                    readable(r["alone"]),
                )
                for r in found["repositories"]
            ),
        )
