"""Blocks: setting them, and finding those of some content."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

import sqlalchemy as sa

from ..clock import as_utc
from ..errors import NameUnknown
from ..rules.blocks import Ban
from ..rules.blocks import check_bans
from ..spec.digest import Digest
from . import insert_statements
from .database import Condition
from .database import Database

if t.TYPE_CHECKING:
    from .models import Models
    from .repository_info import RepositoryInfo

#: How many digests one statement contains, well below the limit of any database.
CHUNK: t.Final = 500

#: How many levels of indexes within indexes a block includes.
MAX_DEPTH: t.Final = 8


#: The maximum number of blocks in all repositories of an owner.
MAX_BLOCKS: t.Final = 10_000


class TooManyBlocks(ValueError):
    """The repositories of an owner have the maximum number of blocks."""


class BlockScope(t.NamedTuple):
    """The scope of a block: a repository or a path."""

    repository_id: int | None = None
    path: str | None = None


class StoredBlock(t.NamedTuple):
    """A block and its scope."""

    digest: str
    repository: str | None
    path: str | None
    reason: str
    blocked_by: str | None
    blocked_at: datetime
    index_digest: str


class Blocks:
    """Sets and deletes blocks, and finds those that apply."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(
        self,
        scope: BlockScope,
        digest: Digest,
        children: Sequence[str],
        reason: str,
        by: str | None,
    ) -> None:
        """Block a digest and its children, or change the reason of the block.

        :param children: the digests that are blocked as long as ``digest`` is.
        :param by: the name of the user who makes the change.
        :raises NameUnknown: if the repository has been deleted.
        :raises TooManyBlocks: if the repositories of the owner have too many blocks.
        """
        table = self._db.models.Block.__table__
        column = "path" if scope.repository_id is None else "repository_id"
        value = scope.path if scope.repository_id is None else scope.repository_id
        rows = [
            {
                column: value,
                "digest": each,
                "index_digest": str(digest),
                "reason": reason,
                "blocked_by": by,
            }
            for each in (str(digest), *children)
        ]
        # An index may have thousands of children.
        statement = insert_statements.upsert(
            self._db.dialect,
            table,
            (column, "digest", "index_digest"),
            ("reason", "blocked_by"),
        )

        def work() -> None:
            self._lock(scope)
            self._check_number(scope, digest, len(rows))
            self._db.execute(statement, rows)

        self._db.write(work)

    def delete(self, scope: BlockScope, digest: Digest) -> list[str]:
        """Delete the block of a digest and those of the children that it includes.

        :return: the digests that were blocked by it; empty if there was no block.
        """
        table = self._db.models.Block.__table__
        mine = sa.and_(table.c.index_digest == str(digest), _of(table, scope))

        def work() -> list[str]:
            self._lock(scope)
            found = self._db.execute(sa.select(table.c.digest).where(mine)).scalars()
            digests = [str(each) for each in found]
            self._db.execute(sa.delete(table).where(mine))
            return digests

        return self._db.write(work)

    def check(self, repository_id: int | None, name: str, digest: str) -> None:
        """Check that a digest is not blocked in a repository.

        :param repository_id: the key of the repository, or None if it does not exist.
        :param name: its name.
        :raises Blocked: if it is blocked.
        """
        found = self._db.reads.rows(
            self._of_digest, {"digest": digest, "repository_id": repository_id}
        )
        check_bans((Ban(*row) for row in found), repository_id, name)

    def check_push(self, repository: RepositoryInfo, digests: Sequence[str]) -> None:
        """Check that no digest of a push is blocked, in the transaction of the push.

        :param repository: the repository, as it was looked up for the push.
        :raises Blocked: if one is blocked.
        """
        if not repository.may_have_blocks:
            return
        check_bans(self.bans(repository, digests), repository.id, repository.name)

    def bans(self, repository: RepositoryInfo, digests: Sequence[str]) -> Iterator[Ban]:
        """Return the blocks of some digests that may apply to a repository."""
        for start in range(0, len(digests), CHUNK):
            chunk = list(digests[start : start + CHUNK])
            values = {"digests": chunk, "repository_id": repository.id}
            found = self._db.execute(self._of_digests, values)
            yield from [Ban(*row) for row in found]

    def children(self, digest: Digest, repository_id: int | None) -> list[str]:
        """Return the manifests that an index refers to, on all levels.

        :param repository_id: the repository whose index is meant; None considers all.
        """
        found: dict[str, None] = {}
        level = [str(digest)]
        for _ in range(MAX_DEPTH):
            level = [d for d in self._next(level, repository_id) if d not in found]
            found |= dict.fromkeys(level)
            if not level:
                break
        return [each for each in found if each != str(digest)]

    def _next(self, digests: list[str], repository_id: int | None) -> Iterator[str]:
        reference = self._db.models.ManifestReference.__table__
        manifest = self._db.models.Manifest.__table__
        for start in range(0, len(digests), CHUNK):
            chunk = digests[start : start + CHUNK]
            statement = (
                sa.select(reference.c.digest)
                .distinct()
                .join(manifest, manifest.c.id == reference.c.manifest_id)
                .where(manifest.c.digest.in_(chunk), reference.c.kind == "child")
                .order_by(reference.c.digest)
            )
            if repository_id is not None:
                statement = statement.where(manifest.c.repository_id == repository_id)
            yield from self._db.execute(statement).scalars()

    def _check_number(self, scope: BlockScope, digest: Digest, more: int) -> None:
        """Refuse further blocks if the repositories of the owner have too many.

        :param digest: the digest to block, whose earlier block is replaced.
        :param more: the number of blocks of the digest and its children.
        """
        if scope.repository_id is None:
            return
        table = self._db.models.Block.__table__
        repository = self._db.models.Repository.__table__
        owned, this = repository.alias(), repository.c.id == scope.repository_id
        owner = sa.select(repository.c.owner_id).where(this).scalar_subquery()
        replaced = sa.and_(_of(table, scope), table.c.index_digest == str(digest))
        others = (
            sa.select(sa.func.count())
            .select_from(table.join(owned, owned.c.id == table.c.repository_id))
            .where(
                sa.or_(owned.c.id == scope.repository_id, owned.c.owner_id == owner),
                sa.not_(replaced),
            )
        )
        if (self._db.session.scalar(others) or 0) + more > MAX_BLOCKS:
            raise TooManyBlocks(
                f"The repositories of an owner have at most {MAX_BLOCKS} blocks, with"
                " the images of indexes. Remove some of them."
            )

    def _lock(self, scope: BlockScope) -> None:
        """Lock the repository of a scope, before its blocks."""
        key = scope.repository_id
        if key is not None and self._db.lock_repository(key, changes=False) is None:
            raise NameUnknown

    @cached_property
    def _of_digest(self) -> sa.Select[t.Any]:
        return self._bans.where(self._db.models.Block.digest == sa.bindparam("digest"))

    @cached_property
    def _of_digests(self) -> sa.Select[t.Any]:
        digests: sa.BindParameter[t.Any] = sa.bindparam("digests", expanding=True)
        return self._bans.where(self._db.models.Block.digest.in_(digests))

    @property
    def _bans(self) -> sa.Select[t.Any]:
        block = self._db.models.Block.__table__.c
        key: sa.BindParameter[int] = sa.bindparam("repository_id", type_=sa.Integer())
        return sa.select(
            block.digest, block.repository_id, block.path, block.reason
        ).where(_may_apply(self._db.models, key))

    def list(
        self,
        scope: BlockScope | None = None,
        digest: Digest | None = None,
        applying_to: int | None = None,
        *,
        index_digest: Digest | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[StoredBlock]:
        """Return the blocks, the newest first.

        :param scope: the only scope to consider; None considers all.
        :param digest: the only digest to consider; None considers all.
        :param applying_to: the key of a repository; leave out the blocks of others.
        :param index_digest: the only index to consider, with its children.
        :param limit: the maximum number of results; None sets no limit.
        :param offset: how many of the newest to leave out.
        """
        block = self._db.models.Block.__table__
        repository = self._db.models.Repository.__table__
        statement = (
            sa.select(
                block.c.digest,
                repository.c.name,
                block.c.path,
                block.c.reason,
                block.c.blocked_by,
                block.c.blocked_at,
                block.c.index_digest,
            )
            .join(repository, repository.c.id == block.c.repository_id, isouter=True)
            .order_by(block.c.blocked_at.desc(), block.c.id.desc())
            .limit(limit)
        )
        if offset:
            statement = statement.offset(offset)
        if scope is not None:
            statement = statement.where(_of(block, scope))
        if digest is not None:
            statement = statement.where(block.c.digest == str(digest))
        if index_digest is not None:
            statement = statement.where(block.c.index_digest == str(index_digest))
        if applying_to is not None:
            key = sa.literal(applying_to)
            statement = statement.where(_may_apply(self._db.models, key))
        return [
            StoredBlock(row[0], row[1], row[2], row[3], row[4], as_utc(row[5]), row[6])
            for row in self._db.execute(statement)
        ]


def _of(table: sa.Table, scope: BlockScope) -> Condition:
    if scope.repository_id is not None:
        return table.c.repository_id == scope.repository_id
    return table.c.path == scope.path


def _may_apply(models: Models, repository_id: sa.ColumnElement[int]) -> Condition:
    """Return the condition for the blocks of a repository, and of any path.

    The blocks of other repositories are left out, because every user may set some, for
    content that is popular elsewhere.
    """
    block = models.Block.__table__.c
    return sa.or_(block.path.is_not(None), block.repository_id == repository_id)


def with_bans(
    statement: sa.Select[t.Any],
    models: Models,
    digest: sa.ColumnElement[str],
    repository_id: sa.ColumnElement[int],
) -> sa.Select[t.Any]:
    """Add the blocks of a digest to a statement, as the last columns of its rows.

    This takes no further statement. The result has one row for each block of the
    repository or of a path, and one row if there is none.

    :param digest: the column of the statement with the digest.
    :param repository_id: the column of the statement with the key of the repository.
    """
    block = models.Block.__table__
    return statement.add_columns(
        block.c.digest, block.c.repository_id, block.c.path, block.c.reason
    ).outerjoin(
        block, sa.and_(block.c.digest == digest, _may_apply(models, repository_id))
    )


def bans_of(rows: Iterable[Sequence[t.Any]]) -> tuple[Ban, ...]:
    """Return the blocks in the columns that :func:`with_bans` added."""
    return tuple(Ban(*row) for row in rows if row[0] is not None)
