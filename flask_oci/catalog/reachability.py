"""Manifest reachability: the manifests of a repository that tags or others need."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from . import deleted_manifests
from . import references
from .database import Database
from .locked_repository import LockedRepository
from .manifest_changes import deleted

#: How many rows are deleted by one statement.
BATCH_SIZE: t.Final = 500


class Node(t.NamedTuple):
    """A manifest in the graph of a repository's manifests."""

    id: int
    digest: str
    media_type: str
    subject: str | None
    touched_at: datetime
    pulled_at: datetime | None
    tagged: bool


@dataclass(frozen=True, slots=True)
class Reachability:
    """The graph of a repository's manifests."""

    nodes: Mapping[str, Node]
    children: Mapping[str, Sequence[str]]
    left: Mapping[str, datetime]
    """When a manifest lost a tag, or a manifest that needs it was deleted, which can
    still be restored, by its digest."""

    def unneeded(self, before: datetime) -> set[str]:
        """Return the digests of the manifests that have been unneeded since ``before``
        and have no tag that can be restored."""
        roots = (
            node.digest
            for node in self.nodes.values()
            if node.tagged or node.touched_at >= before or node.digest in self.left
        )
        return self.nodes.keys() - self._reached(roots, self._neighbours())

    def loose(self) -> list[Node]:
        """Return the manifests that have no tag and that no tagged manifest needs."""
        roots = (node.digest for node in self.nodes.values() if node.tagged)
        reached = self._reached(roots, self._neighbours())
        return [
            self.nodes[digest]
            for digest in self.parents_first(self.nodes.keys() - reached)
        ]

    def parents_first(self, digests: set[str]) -> list[str]:
        """Return digests so that each index precedes its children. If they are deleted
        in this order in several transactions, no index loses a child."""
        ordered: list[str] = []
        waiting = Counter(
            child
            for digest in digests
            for child in set(self.children.get(digest, ()))
            if child in digests
        )
        ready = sorted(digests - waiting.keys())
        while ready:
            ordered += ready
            waiting.subtract(
                child
                for digest in ready
                for child in set(self.children.get(digest, ()))
                if child in digests
            )
            ready = sorted(digest for digest, count in waiting.items() if not count)
            for digest in ready:
                del waiting[digest]
        return ordered

    def pulled_at(self, digest: str) -> datetime | None:
        """Return when a manifest or one of its children was last pulled, or None."""
        parts = self._reached([digest], self.children)
        moments = (self.nodes[d].pulled_at for d in parts if d in self.nodes)
        return max((moment for moment in moments if moment), default=None)

    def _neighbours(self) -> Mapping[str, Sequence[str]]:
        """Return the digests that each manifest keeps: an index keeps its children, a
        subject its referrers, and a referrer its subject."""
        found = defaultdict(list, {d: list(c) for d, c in self.children.items()})
        for node in self.nodes.values():
            if node.subject is not None and node.subject in self.nodes:
                found[node.subject].append(node.digest)
                found[node.digest].append(node.subject)
        return found

    @staticmethod
    def _reached(
        roots: Iterable[str], neighbours: Mapping[str, Sequence[str]]
    ) -> set[str]:
        waiting, reached = list(roots), set[str]()
        while waiting:
            digest = waiting.pop()
            if digest not in reached:
                reached.add(digest)
                waiting += neighbours.get(digest, ())
        return reached


def read(
    database: Database, repository_id: int, left_since: datetime | None
) -> Reachability:
    """Return the graph of a repository's manifests.

    :param left_since: removed tags can be restored since then; None is never.
    """
    nodes = _nodes(database, repository_id)
    restorable: dict[str, datetime] = {}
    if left_since is not None:
        restorable = left(database, repository_id, left_since)
        restorable |= _kept(database, repository_id, left_since, nodes)
    return Reachability(nodes, _children(database, repository_id), restorable)


def _kept(
    database: Database, repository_id: int, since: datetime, nodes: Mapping[str, Node]
) -> dict[str, datetime]:
    """Return when a deleted manifest last needed other manifests, by their digests:
    its children, its subject and its referrers."""
    needed, own = deleted_manifests.kept_since(database, repository_id, since)
    referrers = {
        node.digest: own[node.subject] for node in nodes.values() if node.subject in own
    }
    return needed | referrers


def delete(
    database: Database, repository: LockedRepository, nodes: Sequence[Node]
) -> None:
    """Delete unneeded manifests, within a transaction that has locked their
    repository."""
    for node in nodes:
        # The manifest is unneeded, so the observer cannot refuse the deletion.
        database.record_change(
            deleted(repository, node.digest, node.media_type), ask=False
        )
    for start in range(0, len(nodes), BATCH_SIZE):
        keys = [node.id for node in nodes[start : start + BATCH_SIZE]]
        references.delete(database, repository.id, keys)


def _nodes(database: Database, repository_id: int) -> dict[str, Node]:
    Manifest, Tag = database.models.Manifest, database.models.Tag
    tagged = sa.exists().where(Tag.manifest_id == Manifest.id)
    rows = database.session.execute(
        sa.select(
            Manifest.id,
            Manifest.digest,
            Manifest.media_type,
            Manifest.subject_digest,
            Manifest.touched_at,
            Manifest.pulled_at,
            tagged,
        ).where(Manifest.repository_id == repository_id)
    )
    nodes = (Node(*row) for row in rows)
    return {
        node.digest: node._replace(
            touched_at=as_utc(node.touched_at),
            pulled_at=node.pulled_at and as_utc(node.pulled_at),
        )
        for node in nodes
    }


def _children(database: Database, repository_id: int) -> dict[str, list[str]]:
    Manifest, Reference = database.models.Manifest, database.models.ManifestReference
    rows = database.session.execute(
        sa.select(Manifest.digest, Reference.digest)
        .join(Reference, Reference.manifest_id == Manifest.id)
        .where(Manifest.repository_id == repository_id, Reference.kind == "child")
    )
    children: defaultdict[str, list[str]] = defaultdict(list)
    for parent, child in rows:
        children[parent].append(child)
    return children


def left(
    database: Database, repository_id: int, since: datetime
) -> dict[str, datetime]:
    """Return the times when manifests last lost a tag, by their digests.

    :param since: ignore tags that were removed before this moment.
    """
    Move = database.models.TagMove
    rows = database.session.execute(
        sa.select(Move.from_digest, sa.func.max(Move.moved_at))
        .where(
            Move.repository_id == repository_id,
            Move.moved_at >= since,
            Move.from_digest.is_not(None),
        )
        .group_by(Move.from_digest)
    )
    return {str(digest): as_utc(moment) for digest, moment in rows}
