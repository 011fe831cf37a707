"""Content of a repository: blobs, manifests and tags.

Requests, imported archives and the host's own code all use these operations, so that
each verifies, stores and reports content in the same way. The caller has checked the
permission.
"""

from __future__ import annotations

import typing as t
from contextlib import suppress

from ..clock import utcnow
from ..errors import BlobUnknown
from ..errors import Denied
from ..errors import ManifestUnknown
from ..events import audit
from ..rules.protection import Guard
from ..spec.digest import Digest
from .manifest_content import ManifestContent

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ..catalog import Removal
    from ..catalog import RepositoryInfo
    from .actor import Actor


class Content(ManifestContent):
    """Adds content to repositories, deletes it and restores it.

    :param config: the maximum size of a manifest, and whether content may be missing or
        be deleted while in use.
    :param catalog: where content is recorded.
    :param storage: where the bytes of blobs are.
    """

    def delete(
        self,
        repository: RepositoryInfo,
        reference: Digest | str,
        by: Actor,
        *,
        restorable: bool = False,
    ) -> None:
        """Delete a tag, or a manifest together with every tag that points at it.

        :param reference: a tag, whose manifest stays, or a digest.
        :param restorable: whether :meth:`restore_manifest` can undo the deletion of a
            manifest. Its content then stays until that time has passed.
        :raises Denied: if an index in the repository needs the manifest, or a tag is
            protected from the actor.
        :raises ManifestUnknown: if there is no such tag or manifest.
        """
        key = repository.key

        def work(guard: Guard) -> bool:
            if not isinstance(reference, Digest):
                return self._catalog.tags.delete(key, reference, by.key, guard)
            removal = self._catalog.manifests.delete(
                key,
                reference,
                unless_needed=not self._config.allow_delete_in_use,
                by=by.key,
                guard=guard,
                restorable=restorable and self._config.undo_period is not None,
            )
            _refuse_if_needed(removal, reference)
            return removal.done

        if not self._guarded(by, work):
            raise ManifestUnknown(detail=str(reference))
        audit.record("delete", by.name, repository.name, reference=str(reference))

    def delete_manifests(
        self, repository: RepositoryInfo, digests: Sequence[Digest], by: Actor
    ) -> list[Digest]:
        """Delete manifests and every tag that points at them, or none if one of the
        tags is protected. :meth:`restore_manifest` can undo each deletion.

        :return: the manifests that existed.
        :raises Denied: if a tag is protected from the actor, or an index needs one of
            the manifests. Those before it are deleted.
        """
        key = repository.key
        tags = self._catalog.repository_contents.tag_names(key, [*map(str, digests)])
        names = [name for found in tags.values() for name in found]
        self._guarded(
            by, lambda guard: self._catalog.tags.check_deletable(key, names, guard)
        )
        deleted = []
        for digest in digests:
            with suppress(ManifestUnknown):
                self.delete(repository, digest, by, restorable=True)
                deleted.append(digest)
        return deleted

    def restorable_since(self) -> datetime | None:
        """Return since when deleted manifests can be restored; None is never."""
        window = self._config.undo_period
        return None if window is None else utcnow() - window

    def restore_manifest(
        self, repository: RepositoryInfo, digest: Digest, by: Actor
    ) -> bool:
        """Undo the deletion of a manifest, with the tags that were deleted with it and
        that do not exist again and keep their former times.

        :return: False if it cannot be restored any more.
        :raises ManifestBlobUnknown: if content that it needs was deleted.
        :raises QuotaExceeded: if the manifest would exceed a quota.
        """
        since, key = self.restorable_since(), repository.key
        deleted = self._catalog.deleted_manifests
        found = since and deleted.find(key, str(digest), since)
        if not found:
            return False
        existing = self._catalog.repository_contents.existing_tags(key, found.tags)
        self.put_manifest(
            repository,
            by,
            found.content,
            found.media_type,
            digest=digest,
            tags=[tag for tag in found.tags if tag not in existing],
            tagged_at=found.tagged_at,
        )
        deleted.forget(key, str(digest))
        return True

    def forget_manifest(
        self, repository: RepositoryInfo, digest: Digest, by: Actor
    ) -> bool:
        """Make the deletion of a manifest final, so that its content can be collected.

        :return: True if it could be restored before.
        """
        found = self._catalog.deleted_manifests.forget(repository.key, str(digest))
        if found:
            audit.record(
                "delete", by.name, repository.name, reference=f"{digest} for good"
            )
        return found

    def delete_tags(
        self, repository: RepositoryInfo, names: Sequence[str], by: Actor
    ) -> list[str]:
        """Delete tags, or none if one of them is protected; their manifests stay.

        :return: the tags that existed.
        :raises Denied: if one of them is protected from the actor.
        """
        key = repository.key
        deleted = self._guarded(
            by,
            lambda guard: self._catalog.tags.delete_all(key, names, by.key, guard),
        )
        for name in deleted:
            audit.record("delete", by.name, repository.name, reference=name)
        return deleted

    def restore_tag(
        self, repository: RepositoryInfo, move_id: int, by: Actor
    ) -> str | None:
        """Move a tag back to the manifest that it pointed at before one of its moves.

        :param move_id: the key of the move.
        :return: the tag, or None if the manifest no longer exists.
        :raises Denied: if the tag is protected from the actor, or a policy does not
            allow it.
        """
        key, tags = repository.key, self._catalog.tags
        tag = self._guarded(
            by,
            lambda guard: tags.restore(key, move_id, by.key, guard, self._check_tags),
        )
        if tag is not None:
            audit.record("tag-restored", by.name, repository.name, reference=tag)
        return tag

    def delete_blob(
        self, repository: RepositoryInfo, digest: Digest, by: Actor
    ) -> None:
        """Delete a blob from a repository. Other repositories that link it keep it.

        :raises Denied: if a manifest in the repository needs the blob.
        :raises BlobUnknown: if the repository does not link the blob.
        """
        removal = self._catalog.blobs.unlink(
            repository.key,
            digest,
            by.key,
            unless_used=not self._config.allow_delete_in_use,
        )
        _refuse_if_needed(removal, digest)
        if not removal.done:
            raise BlobUnknown(detail=str(digest))
        audit.record("delete", by.name, repository.name, reference=str(digest))


def _refuse_if_needed(removal: Removal, digest: Digest) -> None:
    if removal.needed_by:
        raise Denied(
            f"{digest} is needed by {', '.join(removal.needed_by)}; delete that first.",
            detail=str(digest),
        )
