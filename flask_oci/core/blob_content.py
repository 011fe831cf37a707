"""Blobs of a repository: uploads, their completion, and links (spec.md, "Pushing
Blobs")."""

from __future__ import annotations

import typing as t
import uuid
from contextlib import suppress
from functools import partial

from ..errors import BlobUnknown
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
    from ..storage import Place
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
                    partial(self._catalog.uploads.record_blob, repository, by),
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
                    if not upload.is_sealed(digest):
                        receive(upload)
                    self._complete_upload(
                        upload,
                        digest,
                        partial(self._catalog.uploads.finish, session, by),
                        check_length,
                    )
                except BaseException:
                    upload.truncate(length)
                    raise
        # The blob is recorded. If this cleanup fails, garbage collection does it.
        with suppress(Unavailable):
            self._storage.forget_upload(session.uuid)

    def _complete_upload(
        self,
        upload: UploadFile,
        digest: Digest,
        record: Callable[[Place, Place | None], object],
        check_length: Callable[[int], object] = lambda _: None,
    ) -> None:
        """Verify the digest of an upload, store its bytes durably, and record the blob.

        Every upload is completed here, and the order of the steps is what makes an
        acknowledged blob durable.

        :param record: as for :meth:`store`.
        """
        verify(upload, digest)
        check_length(upload.length)
        self.store(upload, digest, record)

    def store(
        self,
        upload: UploadFile,
        digest: Digest,
        record: Callable[[Place, Place | None], object],
    ) -> None:
        """Store verified bytes durably, and record the blob.

        :param record: commits the catalog's record of the blob. It is called with the
            place of the bytes, and with the place at which they were stored before, if
            that is to be kept.
        """
        with self._storage.shared_lock(digest):
            place = upload.commit(digest)
            kept = self._kept(place)
            record(place, kept)
        self._confirm(place)
        if kept is not None:
            self._delete_discarded(place)

    def _kept(self, place: Place) -> Place | None:
        """Return the place at which the bytes of a new object were stored before, if
        they are still there."""
        if place.is_local:
            return None
        known = self._catalog.blob_places.find(place.digest)
        self._catalog.release()
        if known is None or known.store != place.store or known == place:
            return None
        return known if self._storage.stored_size(known) == place.size else None

    def _confirm(self, place: Place) -> None:
        """Check that a recorded blob on the local disk is still there.

        If locks on files do not exclude other machines, the collection may have deleted
        an older file of the blob at the same time.
        """
        if not place.is_local:
            return
        try:
            found = self._storage.size(place)
        except Unavailable:
            # The bytes and the name have been flushed.
            return
        if found != place.size:
            raise Unavailable

    def _delete_discarded(self, place: Place) -> None:
        """Delete a new object that no blob needs, because no client has seen it. If
        this fails, garbage collection does it."""
        with suppress(Unavailable):
            if self._catalog.blob_places.is_discarded(place):
                self._storage.delete([place])
                self._catalog.blob_places.forget_place(place)
            self._catalog.release()

    def _resume_completion(
        self, session: UploadSession, by: Actor, digest: Digest
    ) -> bool:
        """Record a blob that an earlier attempt to finish the session has stored.

        :return: False if no earlier attempt has stored the session's bytes.
        """
        with self._storage.shared_lock(digest):
            place = self._storage.resume_commit(session.uuid, digest)
            if place is None:
                return False
            self._catalog.uploads.finish(session, by, place)
        self._confirm(place)
        return True

    def link_blob(
        self,
        repository: RepositoryRef,
        by: Actor,
        place: Place,
        source: str,
    ) -> bool:
        """Link a stored blob, which the actor may read, to a repository.

        :param place: the place of the blob, as the catalog has it.
        :param source: the name of the repository that the actor may read the blob from.
        :return: False if the storage does not have the blob.
        """
        self.storage_identity.verify()
        self._catalog.release()
        with self._storage.shared_lock(place.digest):
            if self._storage.size(place) != place.size:
                return False
            try:
                self._catalog.uploads.record_blob(repository, by, place, source=source)
            except BlobUnknown:
                # Garbage collection has just deleted it.
                return False
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
