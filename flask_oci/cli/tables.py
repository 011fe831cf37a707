"""``flask oci tables``: list and create the registry's tables."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

import click
from flask.cli import with_appcontext

from ..catalog import TablesRefused
from ..rules.wording import plural
from ..services import services
from . import output
from .common import error_messages
from .common import printable

if t.TYPE_CHECKING:
    from ..catalog import TableState


@click.command()
@with_appcontext
@click.option("--create", is_flag=True, help="Create the missing tables.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def tables(create: bool, as_json: bool) -> None:
    """List the tables, and whether the database has them.

    With --create, the command creates the missing tables. It changes no other table.
    It refuses if a table exists without columns that this version needs, or with
    columns that need a value and that this version does not know.

    The exit status is 1 if a table is missing or outdated.
    """
    with error_messages():
        created = _create() if create else []
        states = services().catalog.tables.states()
    if as_json:
        output.as_json([asdict(state) for state in states])
    elif create:
        click.echo(f"Created {plural(len(created), 'table')}.")
    else:
        _print(states)
    if any(state.status != "present" for state in states):
        raise click.exceptions.Exit(1)


def _create() -> list[str]:
    try:
        return services().catalog.tables.create()
    except TablesRefused as error:
        raise click.ClickException(printable(str(error))) from error


def _print(states: list[TableState]) -> None:
    output.table(
        ("table", "status", "missing columns", "unknown columns"),
        ((s.name, s.status, s.missing_columns, s.unknown_columns) for s in states),
    )
