"""Blobs of a repository: uploads, their completion, and links (spec.md, "Pushing
Blobs")."""

from __future__ import annotations

import typing as t
import uuid
from contextlib import suppress
from functools import partial

from ..errors import DigestInvalid
from ..errors import Unavailable
from ..spec.digest import Digest
from .actor import Actor
from .actor import always
from .actor import no_check
from .storage_identity import StorageIdentity

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..catalog import UploadSession
    from ..catalog.repository_info import RepositoryRef
    from ..storage import Storage
    from ..storage import UploadFile


class BlobContent:
    """Puts blobs into repositories.

    :param catalog: where blobs are recorded.
    :param storage: where their bytes are.
    """

    def __init__(self, catalog: Catalog, storage: Storage) -> None:
        self._catalog = catalog
        self._storage = storage
        self.storage_identity = StorageIdentity(catalog, storage)
        """The check that the storage belongs to the catalog, before every push."""

    def actor(
        self,
        user: t.Any,
        may_manage: Callable[[], bool] = always,
        check_push: Callable[[RepositoryInfo], object] = no_check,
        admit_manifest: Callable[..., object] = no_check,
    ) -> Actor:
        """Return the actor for one of the host's users.

        :param user: one of the host's users, or None if there is no user.
        :param may_manage: returns True if the user may change protected tags.
        :param check_push: raises an error if the user may not push to a repository.
        :param admit_manifest: raises an error if the host refuses a manifest.
        """
        users = self._catalog.users
        return Actor(
            users.key_of(user),
            users.name_of(user),
            may_manage,
            check_push,
            admit_manifest,
        )

    def put_blob(
        self,
        repository: RepositoryRef,
        by: Actor,
        digest: Digest | None,
        receive: Callable[[UploadFile], object],
    ) -> Digest:
        """Store a blob that arrives in one piece, and link it to a repository.

        :param repository: the repository, which is created if it does not exist.
        :param by: the user who pushes, and who owns a repository that is created.
        :param digest: the digest that the bytes must have; None accepts any bytes.
        :param receive: appends the bytes. No database connection is held meanwhile.
        :return: the digest of the bytes.
        :raises DigestInvalid: if the bytes have another digest; nothing is kept.
        """
        session_id = str(uuid.uuid4())
        self.storage_identity.verify()
        self._catalog.release()
        self._storage.start_upload(session_id)
        try:
            with self._storage.open_upload(session_id) as upload:
                receive(upload)
                digest = digest or _computed_digest(upload)
                self._complete_upload(
                    upload,
                    digest,
                    partial(self._catalog.uploads.record_blob, repository, by, digest),
                )
                return digest
        finally:
            self._storage.discard_upload(session_id)

    def finish_upload(
        self,
        session: UploadSession,
        by: Actor,
        digest: Digest,
        receive: Callable[[UploadFile], object],
        check_length: Callable[[int], object],
    ) -> None:
        """Store the bytes of an upload session as a blob, and end the session.

        If it fails, the session has the bytes that it had before, so that the client
        can try again. If an earlier attempt stored the blob but did not record it,
        the blob is recorded now.

        :param session: the session, as the catalog found it for its user.
        :param by: the user of the session.
        :param digest: the digest that the client expects the bytes to have.
        :param receive: appends the last bytes, if there are any. No database
            connection is held meanwhile.
        :param check_length: called with the length of the blob in bytes, before it is
            stored; it raises an error to refuse the blob.
        :raises DigestInvalid: if the bytes have another digest.
        """
        self.storage_identity.verify()
        self._catalog.release()
        if not self._resume_completion(session, by, digest):
            with self._storage.open_upload(session.uuid) as upload:
                length = upload.length
                try:
                    receive(upload)
                    self._complete_upload(
                        upload,
                        digest,
                        partial(self._catalog.uploads.finish, session, by, digest),
                        check_length,
                    )
                except BaseException:
                    upload.truncate(length)
                    raise
        # The blob is recorded. If this cleanup fails, garbage collection does it.
        with suppress(Unavailable):
            self._storage.discard_upload(session.uuid)

    def _complete_upload(
        self,
        upload: UploadFile,
        digest: Digest,
        record: Callable[[int], object],
        check_length: Callable[[int], object] = lambda _: None,
    ) -> None:
        """Verify the digest of an upload, store its bytes durably, and record the blob.

        Every upload is completed here, and the order of the steps is what makes an
        acknowledged blob durable.

        :param record: commits the catalog's record of the blob; it is called with the
            length of the blob in bytes.
        """
        verify(upload, digest)
        check_length(upload.length)
        with self._storage.shared_lock(digest):
            upload.commit(digest)
            record(upload.length)

    def _resume_completion(
        self, session: UploadSession, by: Actor, digest: Digest
    ) -> bool:
        """Record a blob that an earlier attempt to finish the session has stored.

        :return: False if no earlier attempt has stored the session's bytes.
        """
        if self._storage.has_upload(session.uuid):
            return False
        # Any client can name a digest. The stored blob is the session's only if the
        # session's own bytes are known to have had this digest.
        known = self._storage.hashed(session.uuid)
        if known is None or known.digest != digest:
            return False
        with self._storage.shared_lock(digest):
            if self._storage.sync_blob(digest) != known.length:
                return False
            self._catalog.uploads.finish(session, by, digest, known.length)
        return True

    def link_blob(
        self,
        repository: RepositoryRef,
        by: Actor,
        digest: Digest,
        size: int,
        source: str,
    ) -> bool:
        """Link a stored blob, which the actor may read, to a repository.

        :param size: the size of the blob in bytes, as the catalog has it.
        :param source: the name of the repository that the actor may read the blob from.
        :return: False if the storage does not have the blob.
        """
        self.storage_identity.verify()
        self._catalog.release()
        with self._storage.shared_lock(digest):
            if self._storage.size(digest) != size:
                return False
            self._catalog.uploads.record_blob(
                repository, by, digest, size, source=source
            )
        return True


def verify(upload: UploadFile, digest: Digest) -> None:
    """Compare the bytes of an upload with the digest that the client sent.

    :raises DigestInvalid: if the bytes have another digest.
    """
    if not upload.matches(digest):
        raise DigestInvalid(detail=str(digest))


def _computed_digest(upload: UploadFile) -> Digest:
    if upload.hashed is None:
        raise DigestInvalid("The bytes were not hashed, so their digest is unknown.")
    return upload.hashed.digest
