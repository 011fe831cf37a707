"""``flask oci history`` and ``restore``: the moves of tags, and their undoing."""

from __future__ import annotations

import typing as t

import click
from flask.cli import with_appcontext

from ..core.actor import Actor
from ..errors import ManifestUnknown
from ..services import services
from ..spec.reference import split_image
from . import deleted_manifests
from . import output
from .common import error_messages
from .digests import short

if t.TYPE_CHECKING:
    from ..catalog.tag_history import Move


@click.command()
@with_appcontext
@click.argument("image", metavar="REPOSITORY[:TAG]")
@click.option(
    "--limit",
    type=click.IntRange(min=1, max=10_000),
    default=50,
    show_default=True,
    help="The number of moves to show.",
)
@click.option(
    "--deleted", is_flag=True, help="List the deleted manifests that can be restored."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def history(image: str, limit: int, deleted: bool, as_json: bool) -> None:
    """List the moves of tags, the newest first.

    A move is the creation, change or deletion of a tag. 'flask oci restore' undoes it
    while the manifest that the tag pointed at before still exists.
    """
    with error_messages():
        name, tag = split_image(image)
        if deleted and tag is not None:
            raise click.UsageError("Give a repository without a tag with --deleted.")
        repository = services().administration.find(name)
    if deleted:
        deleted_manifests.show(repository, limit, as_json=as_json)
        return
    with error_messages():
        found = _moves(repository.key, tag, limit)
    if as_json:
        output.as_json(found)
        return
    output.table(
        ("id", "time", "tag", "from", "to", "by", "undo"),
        (
            (
                *(move["id"], move["moved"], move["tag"]),
                *(move["from"], move["to"], move["moved_by"]),
                "yes" if move["can_be_undone"] else "no",
            )
            for move in found
        ),
    )
    if not found:
        output.none_found(f"No moves found in {image}.")


@click.command()
@with_appcontext
@click.argument("image", metavar="REPOSITORY:TAG|REPOSITORY@DIGEST")
@click.option(
    "--move",
    "move_id",
    type=click.IntRange(min=1),
    metavar="ID",
    help="The move to undo, from 'flask oci history'; by default the last one.",
)
def restore(image: str, move_id: int | None) -> None:
    """Undo a move of a tag, or the deletion of a manifest.

    The tag points again at the manifest that it pointed at before the move. A deleted
    tag is created again. A deleted manifest is restored with its tags, except those
    that exist again; DIGEST may be the first digits of its digest.
    """
    with error_messages():
        name, tag = split_image(image)
        if tag is None or ("@" in image and move_id is not None):
            raise click.UsageError("Give REPOSITORY:TAG or REPOSITORY@DIGEST.")
        parts = services()
        repository = parts.administration.find(name)
        if "@" in image:
            deleted_manifests.restore(repository, tag)
            return
        move = _move(repository.key, tag, move_id)
        if not parts.content.restore_tag(repository, move.id, Actor()):
            raise ManifestUnknown(
                f"{image} cannot be restored: the manifest that it pointed at before"
                " the move no longer exists. 'flask oci history' shows which moves can"
                " be undone."
            )
    click.echo(f"Restored {image} to {short(t.cast(str, move.from_digest))}.")


def _moves(key: int, tag: str | None, limit: int) -> list[dict[str, t.Any]]:
    catalog = services().catalog
    moves = catalog.tag_history.moves(key, limit, tag=tag or "", before=None)
    names = catalog.users.names(move.moved_by_id for move in moves)
    return [
        {
            "id": move.id,
            "tag": move.name,
            "from": move.from_digest,
            "to": move.to_digest,
            "moved": move.moved_at,
            "moved_by": names.get(move.moved_by_id),
            "can_be_undone": move.can_be_undone,
        }
        for move in moves
    ]


def _move(key: int, tag: str, move_id: int | None) -> Move:
    """Return a move of a tag; without an id, the last one."""
    # Ids grow, so the entry before the next id is the wanted one.
    before = None if move_id is None else move_id + 1
    moves = services().catalog.tag_history.moves(key, 1, tag=tag, before=before)
    if not moves or move_id not in (None, moves[0].id):
        raise ManifestUnknown(
            f"The tag {tag} has no such move. 'flask oci history' lists them."
        )
    return moves[0]
