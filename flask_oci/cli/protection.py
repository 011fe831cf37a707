"""``flask oci protect``: rules for protected and immutable tags."""

from __future__ import annotations

import typing as t

import click
from flask.cli import with_appcontext

from ..services import services
from . import output
from .aliases import Group
from .common import error_messages
from .scopes import Scope
from .scopes import scope_fields
from .scopes import scope_name
from .scopes import scope_options

if t.TYPE_CHECKING:
    from ..rules.protection import Protection


@click.group(cls=Group)
def protect() -> None:
    """Protect tags from moves and deletion.

    Only users with the permission 'manage' can move or delete a protected tag, and no
    user can change an immutable tag.

    In a pattern, '*' matches any text. The rules of a repository, of the longest path
    that contains it, of its owner and of the configuration (OCI_PROTECTED_TAGS,
    OCI_IMMUTABLE_TAGS) all apply.
    """


@protect.command("list")
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_protected(as_json: bool) -> None:
    """List the rules."""
    with error_messages():
        rules = services().tag_protection.list()
    site = services().config.protection
    found = [
        {"repository": None, "owner": None, "path": None, **_fields(site)},
        *(
            {
                **scope_fields(row),
                **_fields(row.value),
            }
            for row in rules
        ),
    ]
    if as_json:
        output.as_json(found)
        return
    output.table(
        ("scope", "protected", "immutable"),
        ((scope_name(f), f["protected"], f["immutable"]) for f in found),
    )


@protect.command("set")
@with_appcontext
@scope_options
@click.option(
    "--tag",
    "protected",
    multiple=True,
    metavar="PATTERN",
    help="A pattern of protected tags. Can be repeated.",
)
@click.option(
    "--immutable",
    multiple=True,
    metavar="PATTERN",
    help="A pattern of immutable tags. Can be repeated.",
)
def set_protected(
    scope: Scope,
    protected: tuple[str, ...],
    immutable: tuple[str, ...],
) -> None:
    """Set the rules of a scope; they replace its existing rules."""
    if not (protected or immutable):
        raise click.UsageError("Give --tag or --immutable, or use 'unset'.")
    with error_messages():
        services().tag_protection.set(
            **scope.arguments(),
            protected=protected,
            immutable=immutable,
        )
    click.echo(f"Set the tag protection of {scope.name}.")


@protect.command("unset")
@with_appcontext
@scope_options
def unset_protected(scope: Scope) -> None:
    """Delete the rules of a scope."""
    with error_messages():
        removed = services().tag_protection.unset(**scope.arguments())
    if not removed:
        raise click.ClickException(f"There are no rules for {scope.name}.")
    click.echo(f"Deleted the tag protection of {scope.name}.")


def _fields(protection: Protection) -> dict[str, t.Any]:
    return {
        "protected": list(protection.protected),
        "immutable": list(protection.immutable),
    }
