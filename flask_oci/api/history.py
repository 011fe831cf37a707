"""How tags moved, and putting one back."""

from __future__ import annotations

from ..errors import ManifestUnknown
from ..http.bounds import number
from ..services import services
from . import paging
from . import tags
from .access import actor
from .access import admit
from .bodies import Move
from .bodies import MoveList
from .bodies import Moves
from .bodies import Tag


def history(name: str, query: MoveList) -> Moves:
    """List how the tags of a repository, or one of them, moved, the last move first.

    :raises NameUnknown: when there is none that the caller may see.
    """
    repository, most = admit(name), paging.limit(query.limit)
    catalog, before = services().catalog, paging.number(query.next)
    found = catalog.repository_contents.moves(
        repository.key, most + 1, tag=query.tag, before=before
    )
    shown, place = paging.cut(found, most, lambda move: move.id)
    names = catalog.users.names(move.moved_by_id for move in shown)
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
        for move in shown
    ]
    return Moves(items=items, next=place)


def undo(name: str, move: str) -> Tag:
    """Put a tag back where it was before one of its moves, as a push would.

    :raises Denied: when the caller may not push, or the tag is protected from them.
    :raises NameUnknown: when there is no such repository that the caller may see.
    :raises ManifestUnknown: when there is no such move, or nothing to go back to.
    """
    repository = admit(name, "push")
    key, tag = number(move), None
    if key is not None:
        tag = services().content.restore_tag(repository, key, actor(repository))
    if tag is None:
        raise ManifestUnknown("What the tag pointed at is no longer here.", detail=move)
    return tags.find(repository, tag)
