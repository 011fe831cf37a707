"""Blocks: digests that no client may pull or push."""

from __future__ import annotations

import typing as t

from ..catalog import RepositoryInfo
from ..errors import NameUnknown
from ..services import principal
from ..services import services
from . import paging
from .access import authorize
from .access import require_admin
from .bodies import Block
from .bodies import BlockPath
from .bodies import Blocks
from .bodies import NewBlock
from .bodies import NewPathBlock
from .bodies import Paging
from .refusals import unsupported_if_invalid

if t.TYPE_CHECKING:
    from ..core.blocks import Block as StoredBlock


def blocks(name: str, query: Paging) -> Blocks:
    """List the blocks that are set for a repository, newest first. The caller must be
    allowed to manage it.

    :raises Denied: if the caller may not manage the repository.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    repository = authorize(name, "manage")
    return _page(query, repository)


def block(name: str, digest: str, body: NewBlock) -> Blocks:
    """Block a digest in a repository, so that no client can pull or push it there.

    The response has the block, and those of the images in an index.

    :raises Denied: if the caller may not manage the repository.
    :raises DigestInvalid: if the digest is invalid.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    :raises Unsupported: 422, if the reason is invalid.
    """
    return _add(digest, body, repository=authorize(name, "manage"))


def unblock(name: str, digest: str) -> None:
    """Delete the block of a digest in a repository. Blocks of paths stay.

    :raises Denied: if the caller may not manage the repository.
    :raises DigestInvalid: if the digest is invalid.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller,
        or if it has no such block.
    """
    _remove(digest, repository=authorize(name, "manage"))


def all_blocks(query: Paging) -> Blocks:
    """List all blocks, newest first, for administrators.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    """
    require_admin()
    return _page(query)


def block_in_path(digest: str, body: NewPathBlock) -> Blocks:
    """Block a digest in all repositories or in those of a path, for administrators.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    :raises DigestInvalid: if the digest is invalid.
    :raises Unsupported: 422, if the reason or the path is invalid.
    """
    require_admin()
    return _add(digest, body, path=body.path)


def unblock_in_path(digest: str, query: BlockPath) -> None:
    """Delete the block of a digest in a path, for administrators. Blocks of
    repositories and of other paths stay.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    :raises DigestInvalid: if the digest is invalid.
    :raises NameUnknown: if there is no such block.
    :raises Unsupported: 422, if the path is invalid.
    """
    require_admin()
    _remove(digest, path=query.path)


def _add(
    digest: str,
    body: NewBlock | NewPathBlock,
    *,
    repository: RepositoryInfo | None = None,
    path: str | None = None,
) -> Blocks:
    book = services().blocks
    with unsupported_if_invalid():
        book.add(
            digest,
            repository=repository,
            path=path,
            reason=body.reason,
            children=body.children,
            by=principal().user,
        )
    found = book.list(repository=repository, path=path, index_digest=digest)
    return Blocks(items=[_body(each) for each in found], next=None)


def _remove(
    digest: str, *, repository: RepositoryInfo | None = None, path: str | None = None
) -> None:
    with unsupported_if_invalid():
        removed = services().blocks.remove(
            digest, repository=repository, path=path, by=principal().user
        )
    if not removed:
        raise NameUnknown("There is no such block.", detail=digest)


def _page(query: Paging, repository: RepositoryInfo | None = None) -> Blocks:
    size, offset = paging.size(query), paging.number(query.next) or 0
    # Every user may set any number of blocks in repositories that they manage.
    found = services().blocks.list(repository=repository, limit=size + 1, offset=offset)
    items, position = paging.paginate(found, size, lambda _: offset + size)
    return Blocks(items=[_body(each) for each in items], next=position)


def _body(stored: StoredBlock) -> Block:
    return Block(
        digest=stored.digest,
        repository=stored.repository,
        path=stored.path,
        reason=stored.reason,
        blocked_by=stored.blocked_by,
        blocked_at=stored.blocked_at,
        index_digest=stored.index_digest,
    )
