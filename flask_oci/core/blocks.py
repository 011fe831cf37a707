"""Blocks for hosts, the command line, REST and the pages: ``registry.blocks``."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from ..catalog.blocks import BlockScope
from ..catalog.repository_info import name_of
from ..events import audit
from ..rules.blocks import check_reason
from ..rules.paths import covers
from ..rules.paths import parse_path
from ..rules.paths import path_text
from ..spec.digest import Digest

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..catalog.blocks import StoredBlock
    from ..catalog.repository_info import RepositoryRef


@dataclass(frozen=True, slots=True)
class Block:
    """A digest that no client may pull or push, and where."""

    digest: str
    """The digest of a manifest or of a blob."""

    repository: str | None
    """The name of the repository, or None if the block is for a path."""

    path: str | None
    """The path, such as ``website/*`` or ``*``, or None if the block is for a
    repository."""

    reason: str
    """The reason, which clients print."""

    blocked_by: str | None
    """The name of the user who set it, at that time, or None if there was no user."""

    blocked_at: datetime
    """When it was set, in UTC."""

    index_digest: str | None
    """The index whose block includes this child, or None if the digest itself was
    blocked."""


class Blocks:
    """Digests that no client may pull or push: in one repository, in the repositories
    of a path, or everywhere (the path ``*``).

    A block takes effect at the next request, for tags and digests, images within an
    index, mounts, copies and exports. These methods do not check permissions: the host
    has done so.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def add(
        self,
        digest: str,
        *,
        reason: str,
        repository: RepositoryRef | None = None,
        path: str | None = None,
        children: bool = True,
        by: t.Any = None,
    ) -> list[str]:
        """Block a digest, or change the reason of a block.

        :param digest: the digest of a manifest or of a blob, which need not exist.
        :param reason: one line of at most 500 characters, which clients print.
        :param repository: the repository that the block is for.
        :param path: the path that the block is for: ``website/*``, or ``*`` for all
            repositories.
        :param children: whether to block also the images of an index, as far as the
            registry has it.
        :param by: the user who makes the change, one of the host's users.
        :return: the blocked digests, ``digest`` first.
        :raises DigestInvalid: if the digest is invalid.
        :raises ValueError: if the reason or the path is invalid.
        :raises NameUnknown: if there is no such repository.
        """
        wanted, line = Digest.parse(digest), check_reason(reason)
        scope = self._scope(repository, path)
        blocks, users = self._catalog.blocks, self._catalog.users
        within = blocks.children(wanted, scope.repository_id) if children else []
        blocks.put(scope, wanted, within, line, users.name_of(by))
        self._record("digest-blocked", by, repository, path, wanted, reason=line)
        return [str(wanted), *within]

    def remove(
        self,
        digest: str,
        *,
        repository: RepositoryRef | None = None,
        path: str | None = None,
        by: t.Any = None,
    ) -> list[str]:
        """Delete the block of a digest, with those of its children. Blocks of other
        scopes stay.

        :param digest: the digest that was blocked.
        :param repository: the repository that the block is for.
        :param path: the path that the block is for.
        :param by: the user who makes the change, one of the host's users.
        :return: the digests that it blocked; empty if there was no block.
        :raises DigestInvalid: if the digest is invalid.
        :raises ValueError: if the path is invalid.
        :raises NameUnknown: if there is no such repository.
        """
        wanted = Digest.parse(digest)
        removed = self._catalog.blocks.delete(self._scope(repository, path), wanted)
        if removed:
            self._record("digest-unblocked", by, repository, path, wanted)
        return removed

    def list(
        self,
        *,
        digest: str | None = None,
        repository: RepositoryRef | None = None,
        path: str | None = None,
        index_digest: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Block]:
        """Return the blocks, the newest first.

        :param digest: the only digest to consider; None considers all.
        :param repository: the repository that the blocks are for; None with no path
            considers all scopes.
        :param path: the path that the blocks are for.
        :param index_digest: the digest that was blocked; consider only its block, and
            those of the children of this index.
        :param limit: the maximum number of results; None sets no limit.
        :param offset: how many of the newest to leave out.
        :raises NameUnknown: if there is no such repository.
        """
        is_limited = repository is not None or path is not None
        found = self._catalog.blocks.list(
            self._scope(repository, path) if is_limited else None,
            None if digest is None else Digest.parse(digest),
            index_digest=None if index_digest is None else Digest.parse(index_digest),
            limit=limit,
            offset=offset,
        )
        return [_block(row) for row in found]

    def applying(self, repository: RepositoryInfo, digest: str) -> t.Sequence[Block]:
        """Return the blocks of a digest that apply to a repository, the newest first.

        :param repository: a repository that was looked up.
        :param digest: the digest of a manifest or of a blob.
        """
        wanted = Digest.parse(digest)
        return [
            _block(row)
            for row in self._catalog.blocks.list(
                digest=wanted, applying_to=repository.key
            )
            if row.path is None or covers(row.path, repository.name)
        ]

    def blocked(
        self, repository: RepositoryInfo, digests: t.Sequence[str]
    ) -> frozenset[str]:
        """Return the digests that are blocked in a repository.

        :param repository: a repository that was looked up.
        :param digests: the digests to consider.
        """
        bans = self._catalog.blocks.bans(repository, digests)
        return frozenset(
            ban.digest for ban in bans if ban.applies_to(repository.id, repository.name)
        )

    def check(self, repository: RepositoryInfo, digest: str) -> None:
        """Check that a digest is not blocked in a repository.

        :param repository: a repository that was looked up.
        :param digest: the digest of a manifest or of a blob.
        :raises Denied: if it is blocked; the message has the reason.
        """
        self._catalog.blocks.check(repository.id, repository.name, digest)

    def _scope(self, repository: RepositoryRef | None, path: str | None) -> BlockScope:
        if (repository is None) == (path is None):
            raise ValueError("Give either a repository or a path.")
        if path is not None:
            return BlockScope(path=parse_path(path))
        if isinstance(repository, str):
            repository = self._catalog.repositories.get(repository)
        return BlockScope(repository_id=t.cast("RepositoryInfo", repository).key)

    def _record(
        self,
        action: str,
        by: t.Any,
        repository: RepositoryRef | None,
        path: str | None,
        digest: Digest,
        **detail: str,
    ) -> None:
        if path is not None:
            detail["path"] = path
        name = None if repository is None else name_of(repository)
        actor = self._catalog.users.name_of(by)
        audit.record(action, actor, name, digest=str(digest), **detail)


def _block(row: StoredBlock) -> Block:
    return Block(
        row.digest,
        row.repository,
        None if row.path is None else path_text(row.path),
        row.reason,
        row.blocked_by,
        row.blocked_at,
        None if row.index_digest == row.digest else row.index_digest,
    )
