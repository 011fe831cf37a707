"""The verbs on what a repository holds, whichever way they are asked for.

A request, an archive that is imported and a host's own code all come through here, so
that the same is verified, kept durably, and told of. Whether somebody may do it has
been asked before.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..catalog.repository_info import name_of
from ..errors import BlobUnknown
from ..errors import Denied
from ..errors import DigestInvalid
from ..errors import ManifestInvalid
from ..errors import ManifestUnknown
from ..events import audit
from ..rules.protection import Guard
from ..rules.protection import TagProtected
from ..spec.digest import Digest
from ..spec.manifest import Manifest
from ..spec.manifest import parse
from .blob_content import BlobContent

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    from ..catalog import Catalog
    from ..catalog import Removal
    from ..catalog import RepositoryInfo
    from ..catalog.repository_info import RepositoryRef
    from ..config import Config
    from ..storage import Storage
    from .actor import Actor

T = t.TypeVar("T")


class Pushed(t.NamedTuple):
    """A manifest that has been recorded."""

    digest: Digest
    manifest: Manifest
    missing: list[str]
    """The digests of what it references and its repository does not have, where the
    host allows that."""


class Content(BlobContent):
    """Puts content into repositories, and takes it out.

    :param config: how large a manifest may be, and what may be missing or deleted.
    :param catalog: where it is recorded.
    :param storage: where blobs lie.
    """

    def __init__(self, config: Config, catalog: Catalog, storage: Storage) -> None:
        super().__init__(catalog, storage)
        self._config = config

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
        """Record a manifest, what it references and its tags: all of it or none.

        :param repository: it is made if there is none.
        :param by: who pushes it.
        :param content: its exact bytes.
        :param media_type: what it was sent as; None is what it says itself.
        :param digest: what the bytes must have, if that was said.
        :param tags: names for it, each of them a tag.
        :raises DigestInvalid: when the bytes have another digest.
        :raises ManifestInvalid: when it is no manifest; 413 when it is too large.
        :raises ManifestBlobUnknown: when it references what is not there.
        :raises Denied: when a tag is protected from who does it.
        """
        if len(content) > self._config.max_manifest_size:
            raise too_large(self._config.max_manifest_size)
        manifest = parse(content, media_type)
        digest = _verified(content, digest)
        lost = self._lost(manifest)
        missing = self._guarded(
            by,
            lambda guard: self._catalog.manifests.put(
                repository,
                by.key,
                manifest,
                content,
                digest,
                tags,
                lost=lost,
                allow_sparse=self._config.allow_sparse,
                guard=guard,
            ),
        )
        name = name_of(repository)
        audit.record("push", by.name, name, digest=str(digest), tags=" ".join(tags))
        return Pushed(digest, manifest, missing)

    def delete(
        self, repository: RepositoryInfo, reference: Digest | str, by: Actor
    ) -> None:
        """Take a tag away, or delete a manifest with every tag that points at it.

        :param reference: a tag, whose manifest stays, or a digest.
        :raises Denied: when an index in the repository needs the manifest, or a tag
            is protected from who does it.
        :raises ManifestUnknown: when there is no such tag or manifest.
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
            )
            _refuse_if_needed(removal, reference)
            return removal.done

        if not self._guarded(by, work):
            raise ManifestUnknown(detail=str(reference))
        audit.record("delete", by.name, repository.name, reference=str(reference))

    def delete_tags(
        self, repository: RepositoryInfo, names: Sequence[str], by: Actor
    ) -> list[str]:
        """Take some tags away, all or none; their manifests stay.

        :return: those that there were.
        :raises Denied: when one is protected from who does it.
        """
        key = repository.key
        gone = self._guarded(
            by,
            lambda guard: self._catalog.tags.delete_all(key, names, by.key, guard),
        )
        for name in gone:
            audit.record("delete", by.name, repository.name, reference=name)
        return gone

    def restore_tag(
        self, repository: RepositoryInfo, move_id: int, by: Actor
    ) -> str | None:
        """Put a tag back where it was before one of its moves.

        :return: the tag, or None where what it pointed at is no longer there.
        :raises Denied: when it is protected from who does it.
        """
        key = repository.key
        tag = self._guarded(
            by, lambda guard: self._catalog.tags.restore(key, move_id, by.key, guard)
        )
        if tag is not None:
            audit.record("tag-restored", by.name, repository.name, reference=tag)
        return tag

    def delete_blob(
        self, repository: RepositoryInfo, digest: Digest, by: Actor
    ) -> None:
        """Take a blob out of a repository. Others that link it keep it.

        :raises Denied: when a manifest in the repository needs the blob.
        :raises BlobUnknown: when the repository links no such blob.
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
        """Do something to tags, and ask whether somebody manages the repository only
        where that makes a difference."""
        guard = Guard(self._config.protection)
        try:
            return work(guard)
        except TagProtected:
            if not by.manages():
                raise
        return work(replace(guard, manages=True))

    def _lost(self, manifest: Manifest) -> set[str]:
        """Return what the catalog may take for stored blobs, and are none."""
        return {
            str(descriptor.digest)
            for descriptor in manifest.descriptors
            if self._storage.size(descriptor.digest) != descriptor.size
        }


def too_large(most: int) -> ManifestInvalid:
    """Return the answer to a manifest of more than ``most`` bytes."""
    return ManifestInvalid(
        f"A manifest may have {most} bytes here; put large content into blobs.",
        status=413,
    )


def _verified(content: bytes, digest: Digest | None) -> Digest:
    if digest is None:
        return Digest.of(content)
    if Digest.of(content, digest.algorithm) != digest:
        raise DigestInvalid(
            "The manifest does not have the digest it was pushed under.",
            detail=str(digest),
        )
    return digest


def _refuse_if_needed(removal: Removal, digest: Digest) -> None:
    if removal.needed_by:
        raise Denied(
            f"{digest} is needed by {', '.join(removal.needed_by)}; delete that first.",
            detail=str(digest),
        )
