"""``flask oci repositories`` and ``tags``: lists of repositories and tags."""

from __future__ import annotations

import typing as t

import click
from flask.cli import with_appcontext

from ..catalog import RepositoryInfo
from ..catalog.repository_search import Order
from ..catalog.repository_search import ORDERS
from ..catalog.repository_search import Search
from ..core.artifact_types import LISTED
from ..rules.quota import readable
from ..rules.quota import readable_range
from ..rules.visibility import VISIBILITIES
from ..services import services
from . import output
from .common import error_messages
from .common import user_named

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..catalog.repository_contents import TagRow
    from ..catalog.repository_list import Listed
    from ..core.summaries import Entry

#: The number of rows of one query.
BATCH_SIZE: t.Final = 200


@click.command()
@with_appcontext
@click.argument("prefix", default="")
@click.option("--owner", metavar="USERNAME", help="Only repositories of this user.")
@click.option(
    "--kind",
    type=click.Choice([kind.key for kind in LISTED]),
    help="Only repositories with content of this kind.",
)
@click.option(
    "--platform", metavar="PLATFORM", help="Only repositories with an image for it."
)
@click.option(
    "--visibility",
    type=click.Choice(VISIBILITIES),
    help="Only repositories with this visibility.",
)
@click.option(
    "--sort",
    type=click.Choice(ORDERS),
    default="name",
    help="By name, latest push, most pulls or largest size.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def repositories(
    prefix: str,
    owner: str | None,
    kind: str | None,
    platform: str | None,
    visibility: str | None,
    sort: Order,
    as_json: bool,
) -> None:
    """List the repositories with at least one push, by name.

    With PREFIX, such as the name of a user, list only the repository of that name and
    the repositories below it. The size is the sum of a repository's blobs; 'flask oci
    usage' shows what repositories share. A platform such as linux/arm64 includes its
    variants. Sizes of the last minute may be missing in the order by size.
    """
    search = Search(below=prefix, kind=kind or "", platform=(platform or "").lower())
    with error_messages():
        found = [
            row
            for row in _repositories(search, sort, owner)
            if visibility in (None, row["visibility"])
        ]
    if as_json:
        output.as_json(found)
        return
    output.table(
        ("repository", "owner", "visibility", "tags", "size", "pushed"),
        (
            (
                row["name"],
                row["owner"],
                row["visibility"],
                row["tags"],
                readable(row["bytes"]),
                row["pushed"],
            )
            for row in found
        ),
    )
    if not found:
        output.none_found("No repositories found.")


@click.command()
@with_appcontext
@click.argument("repository")
@click.option("--untagged", is_flag=True, help="List untagged manifests.")
@click.option(
    "--attached",
    is_flag=True,
    help="List the tags that clients create for signatures and attestations.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def tags(repository: str, untagged: bool, attached: bool, as_json: bool) -> None:
    """List the tags of a repository, by name.

    The size is that of one pull, which takes one platform of an index. With --json,
    "bytes" is the size of all platforms.

    With --untagged, list the manifests without a tag that are not part of an index and
    have no subject, such as those left by moved tags.
    """
    with error_messages():
        info = services().administration.find(repository)
        found = list(_tags(info, untagged, attached))
    if as_json:
        output.as_json(found)
        return
    output.table(
        ("tag", "digest", "kind", "size", "platforms", "moved", "by"),
        (
            (
                row["tag"],
                row["digest"],
                row["kind"],
                readable_range(row["smallest_pull"], row["largest_pull"]),
                ", ".join(row["platforms"]),
                row["moved"],
                row["pushed_by"],
            )
            for row in found
        ),
    )
    if not found:
        output.none_found(f"No tags found in {repository}.")


def _repositories(
    search: Search, order: Order, owner: str | None
) -> Iterator[dict[str, t.Any]]:
    parts = services()
    catalog, condition = parts.catalog, None
    if owner is not None:
        key = catalog.users.key_of(user_named(owner))
        condition = catalog.repositories.owned_by(key)
    behind = None
    while True:
        batch = catalog.repository_list.page(
            BATCH_SIZE, condition, search=search, order=order, behind=behind
        )
        yield from _described(batch)
        if len(batch) < BATCH_SIZE:
            return
        behind = batch[-1].place


def _described(batch: list[Listed]) -> Iterator[dict[str, t.Any]]:
    parts = services()
    keys = [listed.info.key for listed in batch]
    figures = parts.catalog.repository_list.figures(keys)
    contents = parts.catalog.manifest_traits.of(keys)
    owners = parts.catalog.users.names(listed.info.owner_id for listed in batch)
    for key, listed in zip(keys, batch, strict=True):
        yield {
            "name": listed.info.name,
            "owner": owners.get(listed.info.owner_id),
            "visibility": parts.policy.visibility(listed.info),
            "tags": figures[key].tags,
            "bytes": figures[key].bytes,
            "pulls": listed.pull_count,
            "pushed": listed.pushed_at,
            "kinds": contents[key].kinds,
            "platforms": contents[key].platforms,
            "description": listed.description,
        }


def _tags(
    info: RepositoryInfo, untagged: bool, attached: bool
) -> Iterator[dict[str, t.Any]]:
    key = info.key
    behind = None
    while True:
        batch = _batch(key, untagged, attached, behind)
        yield from map(_entry, services().summaries.of(key, batch))
        if len(batch) < BATCH_SIZE:
            return
        last = batch[-1]
        behind = (last.name or last.manifest.digest, last.moved_at)


def _batch(key: int, untagged: bool, attached: bool, behind: t.Any) -> list[TagRow]:
    contents = services().catalog.repository_contents
    if untagged:
        return contents.untagged(key, BATCH_SIZE, behind)
    return contents.tags(
        key, BATCH_SIZE, attached=attached, newest_first=False, behind=behind
    )


def _entry(entry: Entry) -> dict[str, t.Any]:
    manifest = entry.row.manifest
    return {
        "tag": entry.row.name,
        "digest": manifest.digest,
        "media_type": manifest.media_type,
        "kind": entry.kind.label,
        "bytes": entry.bytes,
        "smallest_pull": entry.pull.smallest,
        "largest_pull": entry.pull.largest,
        "platforms": entry.platforms,
        "attached": [kind.label for kind in entry.attached],
        "moved": entry.row.moved_at,
        "pushed": manifest.pushed_at,
        "pushed_by": entry.pushed_by or None,
    }
