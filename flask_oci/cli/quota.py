"""``flask oci quota``: limits of size and number of images."""

from __future__ import annotations

import typing as t

import click
from flask.cli import with_appcontext

from ..rules.quota import parse_size
from ..rules.quota import readable
from ..services import services
from . import output
from .aliases import Group
from .common import error_messages
from .common import Scope
from .common import scope_fields
from .common import scope_name
from .common import scope_options

if t.TYPE_CHECKING:
    from ..rules.quota import Quota


@click.group(cls=Group)
def quota() -> None:
    """Limit the images of a repository, a path or an owner.

    A repository in a path with a quota, such as 'website/*', counts for the longest
    such path, and not for its owner.

    A layer that several repositories of an owner share counts once for the owner. The
    defaults are OCI_OWNER_QUOTA and OCI_REPOSITORY_QUOTA.
    """


@quota.command("list")
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_quotas(as_json: bool) -> None:
    """List the quotas."""
    with error_messages():
        rules = services().quotas.list()
    found: list[dict[str, t.Any]] = [
        {
            **scope_fields(row),
            **_fields(row.value),
        }
        for row in rules
    ]
    if as_json:
        output.as_json(found)
        return
    rows = ((scope_name(f), _size(f["bytes"]), _images(f["images"])) for f in found)
    output.table(("scope", "size", "images"), rows)
    if not found:
        output.none_found("No quotas are set.")


@quota.command("set")
@with_appcontext
@scope_options
@click.option(
    "--bytes",
    "size",
    metavar="SIZE",
    help="The largest total size, such as 10GB or 500MiB.",
)
@click.option(
    "--images", type=click.IntRange(min=0), help="The largest number of tagged images."
)
def set_quota(
    scope: Scope,
    size: str | None,
    images: int | None,
) -> None:
    """Set the quota of a scope.

    It replaces the existing quota. Without --bytes or --images, that value is
    unlimited, whatever the configuration says.
    """
    with error_messages():
        services().quotas.set(
            **scope.arguments(),
            bytes=None if size is None else parse_size(size),
            images=images,
        )
    click.echo(f"Set the quota of {scope.name}.")


@quota.command("unset")
@with_appcontext
@scope_options
def unset_quota(scope: Scope) -> None:
    """Delete the quota of a scope; the configured default applies again."""
    with error_messages():
        removed = services().quotas.unset(**scope.arguments())
    if not removed:
        raise click.ClickException(f"There is no quota for {scope.name}.")
    click.echo(f"Deleted the quota of {scope.name}.")


@quota.command("show")
@with_appcontext
@scope_options
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def show_quota(scope: Scope, as_json: bool) -> None:
    """Show the usage of a quota.

    The exit status is 1 if it is exceeded.
    """
    with error_messages():
        usage = services().quotas.show(**scope.arguments())
    limit = usage.quota
    if as_json:
        output.as_json(
            {
                "bytes": {"used": usage.bytes, "quota": limit.bytes},
                "images": {"used": usage.images, "quota": limit.images},
            }
        )
    else:
        click.echo(f"Size: {readable(usage.bytes)} of {_size(limit.bytes)}")
        click.echo(f"Images: {usage.images} of {_images(limit.images)}")
    if usage.is_too_much:
        raise click.exceptions.Exit(1)


def _fields(quota: Quota) -> dict[str, int | None]:
    return {"bytes": quota.bytes, "images": quota.images}


def _size(count: int | None) -> str:
    return "unlimited" if count is None else readable(count)


def _images(count: int | None) -> str:
    return "unlimited" if count is None else str(count)
