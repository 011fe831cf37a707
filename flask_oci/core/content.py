"""Content of a repository: blobs, manifests and tags.

Requests, imported archives and the host's own code all use these operations, so that
each verifies, stores and reports content in the same way. The caller has checked the
permission.
"""

from __future__ import annotations

import typing as t
from contextlib import suppress
from dataclasses import replace

from ..catalog.repository_info import name_of
from ..clock import utcnow
from ..errors import BlobUnknown
from ..errors import Denied
from ..errors import DigestInvalid
from ..errors import ManifestInvalid
from ..errors import ManifestUnknown
from ..events import audit
from ..robot_key import RobotKey
from ..rules.protection import Guard
from ..rules.protection import TagProtected
from ..rules.robot_names import policy_name
from ..spec.digest import Digest
from ..spec.manifest import Descriptor
from ..spec.manifest import Manifest
from ..spec.manifest import parse
from ..storage import Place
from .attachments import AttachmentReader
from .blob_content import BlobContent
from .documents import Documents
from .image_policies import PolicyGate
from .manifest_traits import TraitReader
from .trusted_signers import TrustedSigners

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence
    from datetime import datetime

    from ..catalog import Catalog
    from ..catalog import Removal
    from ..catalog import RepositoryInfo
    from ..catalog.repository_info import RepositoryRef
    from ..config import Config
    from ..storage import Storage
    from .actor import Actor

T = t.TypeVar("T")


class Pushed(t.NamedTuple):
    """A recorded manifest."""

    digest: Digest
    manifest: Manifest
    missing: list[str]
    """The digests of the references that the repository does not have, if the host
    allows missing content."""


class Content(BlobContent):
    """Adds content to repositories and deletes it.

    :param config: the maximum size of a manifest, and whether content may be missing or
        be deleted while in use.
    :param catalog: where content is recorded.
    :param storage: where the bytes of blobs are.
    """

    def __init__(self, config: Config, catalog: Catalog, storage: Storage) -> None:
        super().__init__(catalog, storage)
        self._config = config
        documents = Documents(catalog, storage)
        self._traits = TraitReader(documents)
        self.attachments = AttachmentReader(
            catalog, documents, TrustedSigners(catalog), config.sigstore_root
        )
        """Reads the artifacts that are attached to images, as they are pushed."""

        self.policies = PolicyGate(config, catalog, TrustedSigners(catalog))
        """Decides whether images meet the policies of their repository."""

    def put_manifest(
        self,
        repository: RepositoryRef,
        by: Actor,
        content: bytes,
        media_type: str | None,
        *,
        digest: Digest | None = None,
        tags: Sequence[str] = (),
    ) -> Pushed:
        """Record a manifest, its references and its tags: all of them or none.

        :param repository: the repository, which is created if it does not exist.
        :param by: the user who pushes.
        :param content: the exact bytes of the manifest.
        :param media_type: the media type that it was sent as; None uses the manifest's
            own ``mediaType``.
        :param digest: the digest that the bytes must have, or None.
        :param tags: the tags to set.
        :raises DigestInvalid: if the bytes have another digest.
        :raises ManifestInvalid: if the bytes are not a valid manifest; with status 413
            if there are too many bytes.
        :raises ManifestBlobUnknown: if the manifest references missing content.
        :raises Denied: if a tag is protected from the actor, the manifest or its
            content is blocked, or the host does not admit it.
        """
        if len(content) > self._config.max_manifest_size:
            raise too_large(self._config.max_manifest_size)
        manifest = parse(content, media_type)
        digest = _verified(content, digest)
        by.admit_manifest(digest, manifest, content, tags)
        self.storage_identity.verify()
        self._storage.check_space()
        lost = self._lost(manifest)
        traits = self._traits.of(manifest)
        missing = self._guarded(
            by,
            lambda guard: self._catalog.manifests.put(
                repository,
                by,
                manifest,
                content,
                digest,
                tags,
                lost=lost,
                allow_sparse=self._config.allow_sparse,
                guard=guard,
                traits=traits,
                check_tags=lambda found: self._check_tags(
                    found, str(digest), manifest.media_type, tags
                ),
            ),
        )
        name = name_of(repository)
        audit.record("push", by.name, name, digest=str(digest), tags=" ".join(tags))
        scanner = policy_name(by.name, is_robot=isinstance(by.key, RobotKey))
        self.attachments.record_pushed(name, digest, manifest, content, tags, scanner)
        return Pushed(digest, manifest, missing)

    def _check_tags(
        self,
        repository: RepositoryInfo,
        digest: str,
        media_type: str,
        tags: Sequence[str],
    ) -> None:
        """Check the tags that a change sets, in its transaction.

        :raises PolicyRefused: if an image policy checks pushed tags, and the image does
            not meet it.
        """
        if repository.may_have_policies or self.policies.has_site_policy:
            self.policies.check_tags(repository, digest, media_type, tags)

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
        that do not exist again.

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

    def _guarded(self, by: Actor, work: Callable[[Guard], T]) -> T:
        """Change tags, and ask whether the actor may manage the repository only if a
        protected tag requires it."""
        guard = Guard(self._config.protection)
        try:
            return work(guard)
        except TagProtected:
            if not by.may_manage():
                raise
        return work(replace(guard, manages=True))

    def _lost(self, manifest: Manifest) -> set[str]:
        """Return the digests of the referenced blobs that the local disk does not have,
        although the catalog may have rows of them."""
        return {
            str(descriptor.digest)
            for descriptor in manifest.descriptors
            if self._storage.size(_local(descriptor)) != descriptor.size
        }


def _local(descriptor: Descriptor) -> Place:
    return Place(descriptor.digest, descriptor.size)


def too_large(most: int) -> ManifestInvalid:
    """Return the error for a manifest that is too large.

    :param most: the maximum size of a manifest in bytes.
    """
    return ManifestInvalid(
        f"A manifest may have at most {most} bytes; put large content into blobs.",
        status=413,
    )


def _verified(content: bytes, digest: Digest | None) -> Digest:
    if digest is None:
        return Digest.of(content)
    if Digest.of(content, digest.algorithm) != digest:
        raise DigestInvalid(
            "The manifest does not have the digest that it was pushed with.",
            detail=str(digest),
        )
    return digest


def _refuse_if_needed(removal: Removal, digest: Digest) -> None:
    if removal.needed_by:
        raise Denied(
            f"{digest} is needed by {', '.join(removal.needed_by)}; delete that first.",
            detail=str(digest),
        )
