"""The verbs on what a repository holds, whichever way they are asked for.

A request, an archive that is imported and a host's own code all come through here, so
that the same is verified, kept durably, and told of. Whether somebody may do it has
been asked before.
"""

from __future__ import annotations

import typing as t
import uuid
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

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    from ..catalog import Catalog
    from ..catalog import Removal
    from ..catalog import RepositoryInfo
    from ..catalog.repository_info import RepositoryRef
    from ..config import Config
    from ..storage import Storage
    from ..storage import UploadFile

T = t.TypeVar("T")


def always() -> bool:
    """Let somebody whom the host has sent manage whatever they change."""
    return True


class Actor(t.NamedTuple):
    """What stays known of a user when the transaction that read them has ended."""

    key: t.Any = None
    name: str | None = None
    manages: Callable[[], bool] = always
    """Tells whether they may change protected tags; asked only where there are any,
    since a host's answer may take long."""


class Pushed(t.NamedTuple):
    """A manifest that has been recorded."""

    digest: Digest
    manifest: Manifest
    missing: list[str]
    """The digests of what it references and its repository does not have, where the
    host allows that."""


class Content:
    """Puts content into repositories, and takes it out.

    :param config: how large a manifest may be, and what may be missing or deleted.
    :param catalog: where it is recorded.
    :param storage: where blobs lie.
    """

    def __init__(self, config: Config, catalog: Catalog, storage: Storage) -> None:
        self._config = config
        self._catalog = catalog
        self._storage = storage

    def actor(self, user: t.Any, manages: Callable[[], bool] = always) -> Actor:
        """Return who does something.

        :param user: one of the host's users, or None for nobody in particular.
        :param manages: tells whether they may change protected tags.
        """
        users = self._catalog.users
        return Actor(users.key_of(user), users.name_of(user), manages)

    def put_blob(
        self,
        repository: RepositoryRef,
        by: Actor,
        digest: Digest | None,
        receive: Callable[[UploadFile], object],
    ) -> Digest:
        """Store a blob that comes in one piece, and link it to a repository.

        :param repository: it is made if there is none.
        :param by: whose it is then.
        :param digest: what the bytes must have; None is what they turn out to have.
        :param receive: appends the bytes. No database connection is held meanwhile.
        :return: their digest.
        :raises DigestInvalid: when they have another digest; nothing is kept.
        """
        session_id = str(uuid.uuid4())
        self._catalog.release()
        self._storage.start_upload(session_id)
        try:
            with self._storage.open_upload(session_id) as upload:
                receive(upload)
                digest = digest or _hashed(upload)
                verify(upload, digest)
                with self._storage.shared_lock(digest):
                    upload.commit(digest)
                    self._catalog.uploads.record_blob(
                        repository, by.key, digest, upload.length
                    )
                return digest
        finally:
            self._storage.discard_upload(session_id)

    def link_blob(
        self,
        repository: RepositoryRef,
        by: Actor,
        digest: Digest,
        size: int,
        source: str,
    ) -> bool:
        """Link a blob that is stored, and that ``by`` may have, to a repository.

        :param size: in bytes, as its row has it.
        :param source: the repository that it is had from.
        :return: False when the storage does not have it.
        """
        self._catalog.release()
        with self._storage.shared_lock(digest):
            if self._storage.size(digest) != size:
                return False
            self._catalog.uploads.record_blob(
                repository, by.key, digest, size, source=source
            )
        return True

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


def verify(upload: UploadFile, digest: Digest) -> None:
    """Compare what was received with the digest that it was sent as.

    :raises DigestInvalid: when it has another one.
    """
    if not upload.matches(digest):
        raise DigestInvalid(detail=str(digest))


def _hashed(upload: UploadFile) -> Digest:
    if upload.hashed is None:
        raise DigestInvalid("Nobody has hashed these bytes.")
    return upload.hashed.digest


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
