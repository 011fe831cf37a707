"""The identity that the storage and the database share.

A folder that is not mounted, was lost, or belongs to another registry has another
identity, and so has a wrong bucket. Nothing is then written to it or deleted from it.
"""

from __future__ import annotations

import typing as t
from contextlib import suppress

from ..errors import StorageForeign
from ..errors import Unavailable

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..storage import Storage

#: The number of recorded blobs that are looked up in a storage without an identity.
SAMPLE: t.Final = 20


FOREIGN: t.Final = "{} belongs to the database of another registry."
LOST_FOLDER: t.Final = (
    "The storage folder lacks the blobs that the database has: it was replaced, or its"
    " disk is not mounted."
)
LOST_STORE: t.Final = (
    "{} lacks the blobs that the database has there: it is another store, or was"
    " replaced."
)
FOLDER: t.Final = "The storage folder"

#: Clients receive the message, so it does not contain the name of the bucket.
BUCKET: t.Final = "The bucket of OCI_STORAGE"


class StorageIdentity:
    """Compares the identities of the storage and the database.

    :param catalog: the catalog, whose database has one identity.
    :param storage: the storage, whose folder or bucket has the other.
    """

    def __init__(self, catalog: Catalog, storage: Storage) -> None:
        self._folders = catalog.storage_folders
        self._storage = storage
        self._known: str | None = None

    def verify(self, *, create: bool = True) -> None:
        """Check that the storage and the database belong together.

        :param create: whether to give both an identity if they have none.
        :raises StorageForeign: if they do not belong together.
        """
        found = self._storage.identity()
        if not create:
            self._check_folder()
        if found:
            self._check_blob_folder()
        if found and found == self._known:
            return
        expected = self._folders.identity()
        if found and found == expected:
            self._known = found
        elif not self._is_new_or_own(found, expected):
            # Another first push may have created both since the file was read.
            if expected and self._storage.identity() == self._folders.identity():
                return
            raise self._foreign(found)
        elif create:
            self._known = self._folders.ensure(found)
            if self._known != found:
                self._storage.identify(self._known)

    def verify_part(self, store: str | None, *, create: bool = False) -> None:
        """Check that a store which receives no new blobs belongs to the database,
        before its objects are deleted or recorded as lost.

        :param store: the name of the store; None is the local disk.
        :param create: whether to give the store the identity if it has none.
        :raises StorageForeign: if it does not belong to the database.
        """
        part = self._storage.part(store)
        if part is None or store == self._storage.store:
            return
        expected, found = self._folders.identity(), part.identity()
        if found and found == expected:
            return
        blobs = self._folders.some_blobs_in(store, SAMPLE)
        if found:
            raise StorageForeign(FOREIGN.format(store or FOLDER))
        if blobs and not any(part.stored_size(b) is not None for b in blobs):
            raise StorageForeign(LOST_STORE.format(store or FOLDER))
        if create and expected:
            part.identify(expected)

    def problem(self) -> str | None:
        """Return why the folder and the database do not belong together, or None."""
        try:
            self.verify(create=False)
        except StorageForeign as error:
            return error.problem
        return None

    def adopt(self) -> None:
        """Connect the storage and the database by a new identity."""
        self._known = self._folders.replace()
        self._storage.identify(self._known)
        for store in self._storage.stores():
            part = self._storage.part(store)
            if part is not None and store != self._storage.store:
                # A store that cannot be written to is not changed either.
                with suppress(Unavailable):
                    part.identify(self._known)
        local = self._storage.part(None)
        if local is not None and local.has_blob_folder():
            local.identify(self._known)

    def sample(self) -> tuple[int, int]:
        """Return how many of some recorded blobs are in the folder, and the number of
        these blobs."""
        blobs = self._folders.some_blobs(SAMPLE)
        if self._storage.has_locations:
            # The first blobs may be in the folder, and the last in a store.
            blobs += self._folders.some_blobs(SAMPLE, newest=True)
        return sum(self._storage.stored_size(b) is not None for b in blobs), len(blobs)

    def _check_folder(self) -> None:
        """Check the storage folder if it has blobs beside those of a store, because its
        disk may not be mounted."""
        local = self._storage.part(None) if self._storage.has_locations else None
        if local is None or not self._folders.has_local_blobs():
            return
        found = local.identity()
        if found != self._folders.identity():
            raise StorageForeign(FOREIGN.format(FOLDER) if found else LOST_FOLDER)

    def _check_blob_folder(self) -> None:
        """Check that the folder of the blobs exists if the database has blobs.

        It may be a link to another place, whose disk is not mounted.
        """
        if not self._storage.has_blob_folder() and self._folders.some_blobs(1):
            raise self._foreign("")

    def _foreign(self, found: str) -> StorageForeign:
        """Return the error for a storage of new blobs.

        :param found: its identity, or an empty string.
        """
        if self._storage.store is None:
            return StorageForeign(FOREIGN.format(FOLDER) if found else LOST_FOLDER)
        return StorageForeign((FOREIGN if found else LOST_STORE).format(BUCKET))

    def _is_new_or_own(self, found: str, expected: str | None) -> bool:
        """Return True if the folder and the database may be connected without asking.

        A database without an identity is new, or was restored from a backup of an
        earlier version. In the second case, the folder has its blobs. A store without
        an identity is new, if the blobs are readable in other stores.
        """
        if found and expected is not None:
            return False
        present, recorded = self.sample()
        if expected is None and present:
            return True
        is_elsewhere = self._storage.has_locations and present == recorded
        return not found and (not recorded or is_elsewhere)
