"""``flask oci describe``: the description of a repository."""

from __future__ import annotations

import typing as t

import click
from flask.cli import with_appcontext

from ..services import services
from .common import error_messages


@click.command()
@with_appcontext
@click.argument("repository")
@click.argument("text", required=False)
@click.option(
    "--file",
    "file",
    type=click.File(encoding="utf-8"),
    help="Read the description from a file; '-' is the standard input.",
)
def describe(repository: str, text: str | None, file: t.TextIO | None) -> None:
    """Set the description of a repository.

    TEXT is Markdown, and its first line is the summary in lists. An empty TEXT deletes
    the description.

    \b
    flask oci describe alice/app --file README.md
    """
    if (text is None) == (file is None):
        raise click.UsageError("Give either TEXT or --file.")
    if file is not None:
        text = _read(file)
    with error_messages():
        services().administration.describe(repository, t.cast(str, text))
    click.echo(f"{'Described' if text else 'Deleted the description of'} {repository}.")


def _read(file: t.TextIO) -> str:
    try:
        return file.read()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"The file is not UTF-8 text. {error}") from error
