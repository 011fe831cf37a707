"""``flask oci quota``: limits of size and number of images."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from contextlib import suppress

import click
from flask.cli import with_appcontext

from ..errors import NameUnknown
from ..rules.quota import parse_size
from ..rules.quota import readable
from ..services import services
from . import output
from .aliases import Group
from .common import error_messages
from .scopes import Scope
from .scopes import scope_fields
from .scopes import scope_name
from .scopes import scope_options

if t.TYPE_CHECKING:
    from ..core.rule_book import RuleEntry
    from ..rules.quota import Quota
    from ..rules.quota import QuotaUsage


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
    """List the quotas, and how much of each is used.

    The defaults of the configuration come first.
    """
    with error_messages():
        rules = services().quotas.list()
        usages = [_usage(row) for row in rules]
    found: list[dict[str, t.Any]] = [
        *_defaults(),
        *(
            {**scope_fields(row), **_fields(row.value), "used": _used(usage)}
            for row, usage in zip(rules, usages, strict=True)
        ),
    ]
    if as_json:
        output.as_json(found)
        return
    output.table(("scope", "size", "images"), map(_row, found))
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


def _defaults() -> Iterator[dict[str, t.Any]]:
    """Yield the quotas of the configuration."""
    config = services().config
    for kind, quota in (
        ("owner", config.owner_default),
        ("repository", config.repository_default),
    ):
        if quota.is_limit:
            scope = {"repository": None, "owner": None, "path": None}
            yield {**scope, "default_of": kind, **_fields(quota), "used": None}


def _usage(row: RuleEntry[Quota]) -> QuotaUsage | None:
    """Return the usage of a quota, or None if its repository or owner is gone."""
    quotas = services().quotas
    if row.path is not None:
        return quotas.show(path=row.path)
    if row.repository is not None:
        with suppress(NameUnknown):
            return quotas.show(repository=row.repository)
    user = services().catalog.users.by_name(row.owner or "")
    return None if user is None else quotas.show(owner=user)


def _used(usage: QuotaUsage | None) -> dict[str, int] | None:
    if usage is None:
        return None
    return {"bytes": usage.bytes, "images": usage.images}


def _row(fields: dict[str, t.Any]) -> tuple[str, str, str]:
    size, images = _size(fields["bytes"]), _images(fields["images"])
    if (kind := fields.get("default_of")) is not None:
        return f"each {kind}, by default", size, images
    if (used := fields["used"]) is not None:
        size = f"{readable(used['bytes'])} of {size}"
        images = f"{used['images']} of {images}"
    return scope_name(fields), size, images


def _fields(quota: Quota) -> dict[str, int | None]:
    return {"bytes": quota.bytes, "images": quota.images}


def _size(count: int | None) -> str:
    return "unlimited" if count is None else readable(count)


def _images(count: int | None) -> str:
    return "unlimited" if count is None else str(count)
