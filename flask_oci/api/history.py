"""The history of tags, and undoing a move."""

from __future__ import annotations

from ..errors import ManifestUnknown
from ..http.bounds import MAX_LONG_KEY
from ..http.bounds import number
from ..services import services
from . import paging
from . import tags
from .access import actor
from .access import authorize
from .bodies import Move
from .bodies import MoveList
from .bodies import Moves
from .bodies import Tag


def history(name: str, query: MoveList) -> Moves:
    """List the moves of the tags of a repository, or of one tag, newest first.

    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    repository, size = authorize(name), paging.size(query)
    catalog, before = services().catalog, paging.number(query.next, MAX_LONG_KEY)
    rows = catalog.tag_history.moves(
        repository.key, size + 1, tag=query.tag, before=before
    )
    page, position = paging.paginate(rows, size, lambda move: move.id)
    names = catalog.users.names(move.moved_by_id for move in page)
    items = [
        Move(
            id=move.id,
            tag=move.name,
            from_digest=move.from_digest,
            to_digest=move.to_digest,
            moved_at=move.moved_at,
            moved_by=names.get(move.moved_by_id),
            can_be_undone=bool(move.can_be_undone),
        )
        for move in page
    ]
    return Moves(items=items, next=position)


def undo(name: str, move: str) -> Tag:
    """Undo a move: point the tag at its previous manifest again, like a push.

    :raises Denied: if the caller may not push, or the tag is protected from the caller.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    :raises ManifestUnknown: if the move does not exist, or the previous manifest was
        deleted.
    """
    repository = authorize(name, "push")
    move_id, tag = number(move, MAX_LONG_KEY), None
    if move_id is not None:
        tag = services().content.restore_tag(repository, move_id, actor(repository))
    if tag is None:
        raise ManifestUnknown(
            "The manifest that the tag pointed at no longer exists.", detail=move
        )
    return tags.find(repository, tag)
