"""``flask oci quota``: how much somebody may have."""

from __future__ import annotations

import typing as t

import click
from flask.cli import with_appcontext

from ..rules.quota import parse_size
from ..rules.quota import readable
from ..services import services
from . import output
from .common import for_whom
from .common import place_of
from .common import told
from .common import user_or_none

if t.TYPE_CHECKING:
    from ..rules.quota import Quota


@click.group()
def quota() -> None:
    """Say how much a repository, or everything of an owner's, may be.

    A layer that several repositories of an owner share counts once for the owner. Who
    has no quota of their own has that of OCI_OWNER_QUOTA and OCI_REPOSITORY_QUOTA.
    """


@quota.command("list")
@with_appcontext
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_quotas(as_json: bool) -> None:
    """List what is laid down."""
    with told():
        laid = services().quotas.list()
    found: list[dict[str, t.Any]] = [
        {"repository": row.repository, "owner": row.owner, **_fields(row.value)}
        for row in laid
    ]
    if as_json:
        output.as_json(found)
        return
    rows = ((place_of(f), _size(f["bytes"]), _images(f["images"])) for f in found)
    output.table(("for", "size", "images"), rows)
    if not found:
        output.none_found("No quota is laid down.")


@quota.command("set")
@with_appcontext
@for_whom
@click.option("--bytes", "size", metavar="SIZE", help="Such as 10GB, or 500MiB.")
@click.option("--images", type=click.IntRange(min=0), help="How many may be tagged.")
def set_quota(
    repository: str | None, owner: str | None, size: str | None, images: int | None
) -> None:
    """Lay a quota down, in the place of what was laid down. What is not given is not
    limited, whatever the configuration says."""
    with told():
        services().quotas.set(
            repository=repository,
            owner=user_or_none(owner),
            bytes=None if size is None else parse_size(size),
            images=images,
        )
    click.echo(f"The quota of {repository or owner} is laid down.")


@quota.command("unset")
@with_appcontext
@for_whom
def unset_quota(repository: str | None, owner: str | None) -> None:
    """Take back what was laid down; that of the configuration holds again."""
    with told():
        gone = services().quotas.unset(repository=repository, owner=user_or_none(owner))
    if not gone:
        raise click.ClickException(f"Nothing was laid down for {repository or owner}.")
    click.echo(f"Nothing is laid down for {repository or owner} any more.")


@quota.command("show")
@with_appcontext
@for_whom
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def show_quota(repository: str | None, owner: str | None, as_json: bool) -> None:
    """Say how much is used of how much. The exit status is 1 when it is too much."""
    with told():
        standing = services().quotas.show(
            repository=repository, owner=user_or_none(owner)
        )
    limit = standing.quota
    if as_json:
        output.as_json(
            {
                "bytes": {"used": standing.bytes, "quota": limit.bytes},
                "images": {"used": standing.images, "quota": limit.images},
            }
        )
    else:
        click.echo(f"{readable(standing.bytes)} of {_size(limit.bytes)}")
        click.echo(f"{standing.images} of {_images(limit.images)}")
    if standing.is_too_much:
        raise click.exceptions.Exit(1)


def _fields(quota: Quota) -> dict[str, int | None]:
    return {"bytes": quota.bytes, "images": quota.images}


def _size(count: int | None) -> str:
    return "any size" if count is None else readable(count)


def _images(count: int | None) -> str:
    return "any number of images" if count is None else f"{count} images"
