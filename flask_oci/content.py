"""The verbs on what a repository holds, whichever way they are asked for.

A request, an archive that is imported and a host's own code all come through here, so
that the same is verified, kept durably, and told of. Whether somebody may do it has
been asked before.
"""

from __future__ import annotations

import typing as t
import uuid

from . import audit
from .digest import Digest
from .errors import BlobUnknown
from .errors import Denied
from .errors import DigestInvalid
from .errors import ManifestInvalid
from .errors import ManifestUnknown
from .errors import NameUnknown
from .manifests import Manifest
from .manifests import parse

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    from .catalog import Catalog
    from .catalog import Removal
    from .catalog import RepositoryInfo
    from .config import Config
    from .storage import Storage
    from .storage import UploadFile


class Actor(t.NamedTuple):
    """What stays known of a user when the transaction that read them has ended."""

    key: t.Any = None
    name: str | None = None


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

    def actor(self, user: t.Any) -> Actor:
        """Return who does something.

        :param user: one of the host's users, or None for nobody in particular.
        """
        users = self._catalog.users
        return Actor(users.key_of(user), users.name_of(user))

    def put_blob(
        self,
        name: str,
        by: Actor,
        digest: Digest,
        receive: Callable[[UploadFile], object],
    ) -> int:
        """Store a blob that comes in one piece, and link it to a repository.

        :param name: the repository, which is made if there is none.
        :param by: whose it is then.
        :param digest: what the bytes must have.
        :param receive: appends the bytes. No database connection is held meanwhile.
        :return: how many bytes there were.
        :raises DigestInvalid: when they have another digest; nothing is kept.
        """
        session_id = str(uuid.uuid4())
        self._catalog.release()
        self._storage.start_upload(session_id)
        try:
            with self._storage.open_upload(session_id) as upload:
                receive(upload)
                verify(upload, digest)
                with self._storage.relying_on(digest):
                    upload.commit(digest)
                    self._catalog.uploads.adopt(name, by.key, digest, upload.length)
                return upload.length
        finally:
            self._storage.discard_upload(session_id)

    def put_manifest(
        self,
        name: str,
        by: Actor,
        content: bytes,
        media_type: str | None,
        *,
        digest: Digest | None = None,
        tags: Sequence[str] = (),
    ) -> Pushed:
        """Record a manifest, what it references and its tags: all of it or none.

        :param name: the repository, which is made if there is none.
        :param by: who pushes it.
        :param content: its exact bytes.
        :param media_type: what it was sent as; None is what it says itself.
        :param digest: what the bytes must have, if that was said.
        :param tags: names for it, each of them a tag.
        :raises DigestInvalid: when the bytes have another digest.
        :raises ManifestInvalid: when it is no manifest; 413 when it is too large.
        :raises ManifestBlobUnknown: when it references what is not there.
        """
        if len(content) > self._config.max_manifest_size:
            raise too_large(self._config.max_manifest_size)
        manifest = parse(content, media_type)
        digest = _verified(content, digest)
        missing = self._catalog.manifests.put(
            name,
            by.key,
            manifest,
            content,
            digest,
            tags,
            lost=self._lost(manifest),
            allow_sparse=self._config.allow_sparse,
        )
        audit.record("push", by.name, name, digest=str(digest), tags=" ".join(tags))
        return Pushed(digest, manifest, missing)

    def delete(
        self, repository: RepositoryInfo, reference: Digest | str, by: Actor
    ) -> None:
        """Take a tag away, or delete a manifest with every tag that points at it.

        :param reference: a tag, whose manifest stays, or a digest.
        :raises Denied: when an index in the repository needs the manifest.
        :raises ManifestUnknown: when there is no such tag or manifest.
        """
        key = _key_of(repository)
        if isinstance(reference, Digest):
            removal = self._catalog.manifests.delete(
                key,
                reference,
                unless_needed=not self._config.allow_delete_in_use,
                by=by.key,
            )
            _refuse_if_needed(removal, reference)
            done = removal.done
        else:
            done = self._catalog.tags.delete(key, reference, by.key)
        if not done:
            raise ManifestUnknown(detail=str(reference))
        audit.record("delete", by.name, repository.name, reference=str(reference))

    def delete_blob(
        self, repository: RepositoryInfo, digest: Digest, by: Actor
    ) -> None:
        """Take a blob out of a repository. Others that link it keep it.

        :raises Denied: when a manifest in the repository needs the blob.
        :raises BlobUnknown: when the repository links no such blob.
        """
        removal = self._catalog.blobs.unlink(
            _key_of(repository),
            digest,
            unless_used=not self._config.allow_delete_in_use,
        )
        _refuse_if_needed(removal, digest)
        if not removal.done:
            raise BlobUnknown(detail=str(digest))
        audit.record("delete", by.name, repository.name, reference=str(digest))

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


def _key_of(repository: RepositoryInfo) -> int:
    if repository.id is None:
        raise NameUnknown(detail=repository.name)
    return repository.id


def _refuse_if_needed(removal: Removal, digest: Digest) -> None:
    if removal.needed_by:
        raise Denied(
            f"{digest} is needed by {', '.join(removal.needed_by)}; delete that first.",
            detail=str(digest),
        )
