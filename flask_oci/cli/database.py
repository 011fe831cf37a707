"""``flask oci copy-database``: the move to another database server."""

from __future__ import annotations

import typing as t

import click
from flask.cli import with_appcontext

from ..catalog import CopyRefused
from ..rules.wording import plural
from ..services import services
from . import output
from . import progress
from .common import error_messages
from .common import printable

ADOPT: t.Final = (
    "The storage still belongs to the old database. Before you start the application"
    " with the new one, run 'flask oci storage adopt' with it. Pushes are refused until"
    " then."
)


@click.command("copy-database")
@with_appcontext
@click.argument("url", envvar="NEW_DATABASE_URL")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def copy_database(url: str, as_json: bool) -> None:
    """Copy all tables into an empty database.

    URL is its address, as SQLAlchemy takes it. If it has a password, set it as the
    environment variable NEW_DATABASE_URL, because other users of the machine can see
    the arguments of a command.

    Stop the application first. Run 'flask oci storage adopt' with the new database
    afterwards, and start the application with it. All rows are copied, those of your
    users included. If anything fails, the new database stays empty.
    """
    copy = services().catalog.database_copy
    with error_messages():
        rows = copy.size()
        try:
            with progress.bar("Copying", rows, as_json=as_json) as bar:
                result = copy.run(url, bar.update)
        except CopyRefused as error:
            raise click.ClickException(printable(str(error))) from error
    if result.has_storage:
        click.echo(ADOPT, err=True)
    if as_json:
        fields = {"tables": result.tables, "rows": result.rows}
        output.as_json({**fields, "left_out": result.left_out})
        return
    click.echo(
        f"Copied {plural(result.rows, 'row')} of {plural(result.tables, 'table')}."
    )
    if result.left_out:
        names = printable(", ".join(result.left_out))
        click.echo(f"Not copied, because they have no model: {names}.", err=True)
