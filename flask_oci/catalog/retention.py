"""Retention queries and deletions."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from ..clock import as_utc
from ..errors import Denied
from ..rules.protection import Guard
from ..rules.protection import is_attached
from ..rules.protection import Protection
from ..rules.retention import RetentionDecision
from ..rules.retention import Snapshot
from ..rules.retention import Tagged
from ..rules.retention import UntaggedManifest
from . import reachability
from . import rules
from . import tag_changes
from .database import Database
from .locked_repository import LockedRepository

if t.TYPE_CHECKING:
    from collections.abc import Callable

    #: Decides on the contents of a repository. The arguments are the contents, the
    #: rules that apply, and the protection of its tags.
    Decide = Callable[[Snapshot, rules.HeldRules, Protection], list[RetentionDecision]]


#: The tag and the digest that a verdict is about.
Item: t.TypeAlias = tuple[str | None, str]


def item_of(verdict: RetentionDecision) -> Item:
    """Return the item that a verdict is about."""
    return verdict.tag, verdict.digest


class Retention:
    """Reads the contents of a repository for a decision, and carries it out."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def preview(
        self, repository_id: int, decide: Decide, left_since: datetime | None
    ) -> list[RetentionDecision]:
        """Return the verdicts on everything in a repository, without deleting.

        :param decide: returns the verdicts on the contents.
        :param left_since: removed tags can be restored since then; None is never.
        """
        known = reachability.read(self._db, repository_id, left_since)
        return self._decided(repository_id, decide, known)

    def image(
        self,
        repository_id: int,
        digest: str,
        pulled_at: datetime | None,
        left_since: datetime | None,
        *,
        counts: bool,
    ) -> Snapshot:
        """Return the snapshot for a decision on one image.

        :param pulled_at: when any part of the image was last pulled.
        :param left_since: removed tags can be restored since then; None is never.
        :param counts: whether rules count the newest tags, so that all are needed.
        """
        found = self._tags(repository_id, None if counts else digest)
        loose = []
        if all(target != digest for _, target, _ in found):
            loose = self._untagged(repository_id, digest, left_since)
        return Snapshot(
            digests=frozenset(),
            tags=[
                Tagged(name, target, as_utc(moved_at), pulled_at)
                for name, target, moved_at in found
                # Its subject decides about an attached tag.
                if not is_attached(name)
            ],
            loose=loose,
            unneeded=lambda since: {
                item.digest
                for item in loose
                if item.left_at is None and item.touched_at < since
            },
        )

    def _untagged(
        self, repository_id: int, digest: str, left_since: datetime | None
    ) -> list[UntaggedManifest]:
        Manifest = self._db.models.Manifest
        touched_at = self._db.session.scalar(
            sa.select(Manifest.touched_at).where(
                Manifest.repository_id == repository_id,
                Manifest.digest == digest,
                Manifest.subject_digest.is_(None),
            )
        )
        if touched_at is None:
            return []
        left_at = None
        if left_since is not None:
            left_at = self.left_at(repository_id, digest, left_since)
        return [UntaggedManifest(digest, as_utc(touched_at), left_at)]

    def apply(
        self,
        repository_id: int,
        decide: Decide,
        left_since: datetime | None,
        guard: Guard,
        due: t.Collection[Item],
    ) -> dict[Item, RetentionDecision]:
        """Apply the verdicts on some items in the transaction that decides them.

        :param decide: returns the verdicts on the contents.
        :param guard: the permissions on protected tags, regardless of the verdicts.
        :param due: the items that may be deleted.
        :return: the verdicts on these items, as carried out. An item that no longer
            exists has none.
        """

        def work() -> dict[Item, RetentionDecision]:
            name = self._db.lock_repository(repository_id)
            repository = LockedRepository(repository_id, name, guard)
            known = reachability.read(self._db, repository_id, left_since)
            decided = self._decided(repository_id, decide, known)
            verdicts = [v for v in decided if item_of(v) in due]
            deleted = [v.digest for v in verdicts if v.deleted and v.tag is None]
            reachability.delete(
                self._db, repository, [known.nodes[digest] for digest in deleted]
            )
            return {item_of(v): self._carried_out(repository, v) for v in verdicts}

        return self._db.write(work)

    def left_at(
        self, repository_id: int, digest: str, since: datetime
    ) -> datetime | None:
        """Return when a manifest last lost a tag, if that was after ``since``."""
        return reachability.left(self._db, repository_id, since).get(digest)

    def _carried_out(
        self, repository: LockedRepository, verdict: RetentionDecision
    ) -> RetentionDecision:
        if not verdict.deleted or verdict.tag is None:
            return verdict
        try:
            tag_changes.drop(self._db, repository, verdict.tag, None)
        except Denied as error:
            return replace(verdict, deleted=False, rule=None, reason=error.message)
        return verdict

    def _decided(
        self, repository_id: int, decide: Decide, known: reachability.Reachability
    ) -> list[RetentionDecision]:
        return decide(
            self._stock(repository_id, known),
            rules.holding(self._db, "retain", repository_id),
            rules.protection(self._db, repository_id),
        )

    def _stock(self, repository_id: int, known: reachability.Reachability) -> Snapshot:
        return Snapshot(
            digests=frozenset(known.nodes),
            tags=[
                Tagged(name, digest, as_utc(moved_at), known.pulled_at(digest))
                for name, digest, moved_at in self._tags(repository_id)
            ],
            loose=[
                UntaggedManifest(
                    node.digest, node.touched_at, known.left.get(node.digest)
                )
                for node in known.loose()
            ],
            unneeded=known.unneeded,
        )

    def _tags(self, repository_id: int, digest: str | None = None) -> list[t.Any]:
        """Return the names, the digests and the times of tags.

        :param digest: return only the tags of this manifest; None is all.
        """
        Manifest, Tag = self._db.models.Manifest, self._db.models.Tag
        statement = (
            sa.select(
                Tag.name,
                Manifest.digest,
                # The next run must not delete a tag that a user has just restored.
                sa.func.coalesce(Tag.restored_at, Tag.updated_at),
            )
            .join(Manifest, Manifest.id == Tag.manifest_id)
            .where(
                Tag.repository_id == repository_id,
                Manifest.repository_id == repository_id,
            )
        )
        if digest is not None:
            statement = statement.where(Manifest.digest == digest)
        return list(self._db.session.execute(statement))
