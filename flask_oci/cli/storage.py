"""``flask oci storage``: the connection of the storage folder and the database."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..services import services
from .aliases import Group
from .common import error_messages


@click.group(cls=Group)
def storage() -> None:
    """Manage the storage folder."""


@storage.command()
@with_appcontext
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def adopt(yes: bool) -> None:
    """Connect the storage folder and the database.

    Use this command after you have moved, replaced or restored one of them.

    Another registry that uses the same folder is then disconnected from it, and refuses
    pushes.
    """
    parts = services()
    with error_messages():
        present, recorded = parts.content.storage_identity.sample()
        parts.catalog.release()
    click.echo(
        f"{parts.storage.name} has {present} of {recorded} blobs of the database"
        " that were looked up.",
        err=True,
    )
    if not yes:
        click.confirm("Connect them?", abort=True, err=True)
    with error_messages():
        parts.content.storage_identity.adopt()
    click.echo(f"Connected {parts.storage.name} to the database.")
