"""``flask oci storage``: the storage folder, object stores, and the database."""

from __future__ import annotations

import typing as t

import click
from flask.cli import with_appcontext

from ..operations.migration import Migration
from ..rules.quota import readable
from ..rules.wording import plural
from ..services import services
from . import output
from . import progress
from .aliases import Group
from .common import error_messages
from .common import report_failures
from .sizes import size

if t.TYPE_CHECKING:
    from ..catalog.blob_places import StoreUsage
    from ..operations.migration import MigrationResult

#: The word for the storage folder, whose place has no store.
LOCAL: t.Final = "local"


@click.group(cls=Group)
def storage() -> None:
    """Manage the storage folder and object stores."""


@storage.command()
@with_appcontext
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def adopt(yes: bool) -> None:
    """Connect the storage and the database.

    Use this command after you have moved, replaced or restored one of them. It restores
    no content: the names, tags and permissions of a lost database are in no file.

    Another registry that uses the same storage is then disconnected from it, and
    refuses pushes.
    """
    parts = services()
    with error_messages():
        present, recorded = parts.content.storage_identity.sample()
        parts.catalog.release()
    where = parts.storage.name
    click.echo(
        f"{where} has {present} of {recorded} blobs of the database that were looked"
        " up.",
        err=True,
    )
    if not yes:
        click.confirm("Connect them?", abort=True, err=True)
    with error_messages():
        parts.content.storage_identity.adopt()
    click.echo(f"Connected {where} to the database.")


@storage.command()
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def status(as_json: bool) -> None:
    """Show how many blobs each store has.

    "local" is the storage folder.
    """
    with error_messages():
        usages = services().catalog.blob_places.by_store()
        services().catalog.release()
    if as_json:
        output.as_json([_fields(usage) for usage in usages])
        return
    for usage in usages:
        click.echo(f"{usage.store or LOCAL}: {_in_words(usage)}")
    if not usages:
        click.echo("There are no blobs.")
    click.echo(f"New blobs are stored in {services().storage.store or LOCAL}.")


@storage.command()
@with_appcontext
@click.option(
    "--to",
    "target",
    metavar="STORE",
    required=True,
    help='"local", or the name of a store, as "status" prints it.',
)
@click.option(
    "--rate",
    metavar="SIZE",
    callback=size,
    help="Limit the copying to this size per second, such as 50MB.",
)
@click.option("--dry-run", is_flag=True, help="Only print what would be moved.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def migrate(target: str, rate: int | None, dry_run: bool, as_json: bool) -> None:
    """Move all blobs to one store, while clients push and pull.

    The command copies each blob, verifies its digest, and records its new place. An
    interrupted migration can be repeated, and then continues. Garbage collection
    deletes the former bytes after OCI_GRACE_PERIOD.

    The exit status is 3 if single blobs could not be moved. The command names them, and
    its next run tries them again.
    """
    parts = services()
    store = None if target == LOCAL else target
    with error_messages():
        if parts.storage.part(store) is None:
            known = ", ".join((LOCAL, *parts.storage.stores()))
            raise click.BadParameter(
                f"This registry has no store {target}. It has: {known}.",
                param_hint="--to",
            )
        migration = Migration(parts.catalog, parts.storage, store)
        blobs, total = migration.remaining()
        parts.catalog.release()
        if dry_run:
            _print_dry_run(blobs, total, as_json)
            return
        with progress.bar("Migrating", total, as_json=as_json) as bar:
            result = migration.run(rate, bar.update)
    _print_result(result, target, as_json)
    report_failures([*result.failures, *_losses(result)])


def _fields(usage: StoreUsage) -> dict[str, t.Any]:
    found = services().storage
    return {
        "store": usage.store or LOCAL,
        "blobs": usage.blobs,
        "bytes": usage.bytes,
        "lost": usage.lost,
        "discarded": usage.discarded,
        "read": found.part(usage.store) is not None,
        "default": usage.store == found.store,
    }


def _in_words(usage: StoreUsage) -> str:
    found = [f"{plural(usage.blobs, 'blob')}, {readable(usage.bytes)}"]
    if usage.lost:
        found.append(f"{usage.lost} of them lost")
    if usage.discarded:
        what = plural(usage.discarded, "discarded blob")
        found.append(f"{what}, deleted after the grace period")
    if services().storage.part(usage.store) is None:
        found.append("not readable: add the store to OCI_STORAGE_ALSO")
    return "; ".join(found)


def _print_dry_run(blobs: int, total: int, as_json: bool) -> None:
    if as_json:
        output.as_json({"blobs": blobs, "bytes": total})
        return
    click.echo(f"Would move {plural(blobs, 'blob')}, {readable(total)}.")


def _print_result(result: MigrationResult, target: str, as_json: bool) -> None:
    if as_json:
        output.as_json(
            {
                "blobs": result.blobs,
                "bytes": result.bytes,
                "lost": [str(digest) for digest in result.lost],
                "failures": result.failures,
            }
        )
        return
    click.echo(
        f"Moved {plural(result.blobs, 'blob')}, {readable(result.bytes)}, to {target}."
    )


def _losses(result: MigrationResult) -> list[str]:
    return [
        f"{digest}: The bytes are lost. 'flask oci fsck' has the remedy."
        for digest in result.lost
    ]
