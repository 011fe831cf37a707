"""``flask oci protect``: tags that not everybody can move or delete."""

from __future__ import annotations

import typing as t

import click
from flask.cli import with_appcontext

from ..services import services
from . import output
from .common import for_whom
from .common import place_of
from .common import told
from .common import user_or_none

if t.TYPE_CHECKING:
    from ..rules.protection import Protection


@click.group()
def protect() -> None:
    """Say which tags not everybody who may push can move or delete.

    In a pattern, '*' is any text. What is laid down for a repository, for its owner
    and in the configuration (OCI_PROTECTED_TAGS, OCI_IMMUTABLE_TAGS) holds together.
    """


@protect.command("list")
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_protected(as_json: bool) -> None:
    """List what is laid down."""
    with told():
        laid = services().tag_protection.list()
    site = services().config.protection
    found = [
        {"repository": None, "owner": None, **_fields(site)},
        *(
            {"repository": row.repository, "owner": row.owner, **_fields(row.value)}
            for row in laid
        ),
    ]
    if as_json:
        output.as_json(found)
        return
    output.table(
        ("for", "protected", "immutable"),
        (
            (place_of(f), " ".join(f["protected"]), " ".join(f["immutable"]))
            for f in found
        ),
    )


@protect.command("set")
@with_appcontext
@for_whom
@click.option(
    "--tag", "protected", multiple=True, metavar="PATTERN", help="Can be repeated."
)
@click.option(
    "--immutable",
    multiple=True,
    metavar="PATTERN",
    help="A pattern of tags that nobody can change. Can be repeated.",
)
def set_protected(
    repository: str | None,
    owner: str | None,
    protected: tuple[str, ...],
    immutable: tuple[str, ...],
) -> None:
    """Lay down which tags are protected, in the place of what was laid down."""
    if not (protected or immutable):
        raise click.UsageError("Give a --tag or an --immutable, or use 'unset'.")
    with told():
        services().tag_protection.set(
            repository=repository,
            owner=user_or_none(owner),
            protected=protected,
            immutable=immutable,
        )
    click.echo(f"Tags of {repository or owner} are protected.")


@protect.command("unset")
@with_appcontext
@for_whom
def unset_protected(repository: str | None, owner: str | None) -> None:
    """Take back what was laid down."""
    with told():
        gone = services().tag_protection.unset(
            repository=repository, owner=user_or_none(owner)
        )
    if not gone:
        raise click.ClickException(f"Nothing was laid down for {repository or owner}.")
    click.echo(f"Nothing is laid down for {repository or owner} any more.")


def _fields(protection: Protection) -> dict[str, t.Any]:
    return {
        "protected": list(protection.protected),
        "immutable": list(protection.immutable),
    }
