"""Consistency checks of the database against the storage, and of bytes against their
digests.

A repair deletes no file. Damaged files are quarantined. Rows of missing content that no
manifest needs are deleted. Missing content that a manifest needs stays recorded and is
answered with 404, until a client pushes it again.
"""

from __future__ import annotations

import hashlib
import typing as t
from contextlib import suppress
from functools import partial

from ..core.storage_identity import StorageIdentity
from ..errors import Unavailable
from ..spec.digest import Digest
from ..storage import Place
from .fsck_objects import ObjectChecker
from .gc_blobs import unrecorded_files
from .problem import OWNER
from .problem import Problem
from .problem import to_push
from .rate_limit import RateLimit

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

    from ..catalog import Catalog
    from ..storage import Storage

#: The name under which the storage keeps the position of a scrub.
BOOKMARK: t.Final = "scrub"

#: The beginning of the position in a store; that in the files is a digest.
OBJECTS: t.Final = "store:"

_PIECE = 1024 * 1024


class Checker:
    """Checks the registry of one application, while it runs.

    :param repair: whether to repair problems if possible.
    :param sparse: whether manifests may reference missing content.
    """

    def __init__(
        self,
        catalog: Catalog,
        storage: Storage,
        *,
        repair: bool = False,
        sparse: bool = False,
    ) -> None:
        self._catalog = catalog
        self._consistency = catalog.consistency
        self._garbage = catalog.blob_garbage
        self._places = catalog.blob_places
        self._usage = catalog.usage
        self._measure = catalog.pulls.measure
        self._release = catalog.release
        self._drop_misplaced = catalog.tags.drop_misplaced
        self._storage = storage
        self._identity = StorageIdentity(catalog, storage)
        self._repair = repair
        self._sparse = sparse
        self._objects = ObjectChecker(catalog, storage, repair=repair)

    def check(self) -> Iterator[Problem]:
        """Compare the tables with the files, and the tables with each other.

        :raises StorageForeign: if a repair would change a storage that does not belong
            to the database.
        """
        if self._repair:
            self._identity.verify(create=False)
        elif (problem := self._identity.problem()) is not None:
            yield Problem(
                "foreign", "storage", f"{problem} 'flask oci check' has the remedy."
            )
        for place in self._consistency.local_blobs():
            yield from _readable(place.digest, partial(self._sized, place))
        yield from self._objects.check()
        unreadable: list[str] = []
        for batch in unrecorded_files(self._catalog, self._storage, unreadable):
            for digest in batch:
                yield from _readable(digest, partial(self._unrecorded, digest))
        for folder in unreadable:
            yield Problem("unreadable", folder, f"The folder is not readable. {OWNER}")
        for repository, digest_text in self._consistency.damaged_manifests():
            yield Problem(
                "damaged",
                digest_text,
                f"The bytes of this manifest of {repository} have another digest."
                " Restore the database, or push the manifest again after deleting it.",
            )
        for reference in self._consistency.dangling():
            yield Problem(
                "dangling",
                reference.digest,
                f"{reference.repository} does not have this {reference.kind} of"
                f" {reference.manifest}. Push it again.",
                harmless=self._sparse,
            )
        yield from self._misplaced_tags()
        yield from self._wrong_counts()
        self._release()

    def scrub(
        self,
        rate: int | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Iterator[Problem]:
        """Read every blob and compare its bytes with its digest.

        It continues where the last scrub was interrupted.

        :param rate: the maximum number of bytes to read per second; None means no
            limit.
        :param progress: called with the number of bytes that have been read since the
            last call.
        """
        limit = RateLimit(rate, progress)
        for bookmark, place in self._to_scrub():
            yield from _readable(place.digest, partial(self._scrubbed, place, limit))
            self._storage.remember(BOOKMARK, bookmark)
        self._storage.remember(BOOKMARK, "")

    def bytes_to_scrub(self) -> int:
        """Return the number of bytes that a scrub would read now."""
        return sum(self._size(place) for _, place in self._to_scrub())

    def _size(self, place: Place) -> int:
        with suppress(Unavailable):
            return self._storage.size(place) or 0
        return 0

    def _to_scrub(self) -> Iterator[tuple[str, Place]]:
        """Yield the blobs to read, each with its bookmark: files first, then
        objects."""
        last = self._storage.recall(BOOKMARK)
        if not last.startswith(OBJECTS):
            for digest in self._storage.digests([]):
                if str(digest) > last:
                    yield str(digest), Place(digest, 0)
        for store in sorted(self._storage.stores()):
            prefix = f"{OBJECTS}{store}:"
            is_here = last.startswith(prefix)
            if last > prefix and not is_here and last.startswith(OBJECTS):
                continue
            after = last.removeprefix(prefix) if is_here else None
            for place in self._consistency.blobs_in(store, after):
                yield f"{prefix}{place.location}", place

    def _sized(self, place: Place) -> Iterator[Problem]:
        if self._storage.size(place) != place.size:
            yield from self._lost(place.digest)

    def _scrubbed(self, place: Place, limit: RateLimit) -> Iterator[Problem]:
        if not self._is_intact(place, limit):
            yield from self._damaged(place)

    def _lost(self, digest: Digest) -> Iterator[Problem]:
        with self._storage.exclusive_lock(digest):
            place = self._places.find(digest)
            found = None if place is None else self._storage.size(place)
            self._release()
            # It may have been deleted, moved or pushed again since it was listed.
            if place is None or not place.is_local or place.size == found:
                return
            expected = place.size
            needed_by = self._quarantine(place) if self._repair else []
        what = "no file" if found is None else f"a file of {found} bytes"
        yield Problem(
            "lost" if found is None else "damaged",
            str(digest),
            f"The blob should have {expected} bytes and has {what}."
            + to_push(needed_by),
            repaired=self._repair and not needed_by,
        )

    def _damaged(self, place: Place) -> Iterator[Problem]:
        with self._storage.exclusive_lock(place.digest):
            # A push may have replaced it by an intact file meanwhile.
            if self._is_intact(place, RateLimit()):
                return
            needed_by = self._quarantine(place) if self._repair else []
        yield Problem(
            "damaged",
            str(place.digest),
            "The bytes of the blob have another digest." + to_push(needed_by),
            repaired=self._repair and not needed_by,
        )

    def _quarantine(self, place: Place) -> list[str]:
        """Quarantine a blob, and return the repositories that need it."""
        self._storage.quarantine(place)
        if not place.is_local and not self._places.lose(place):
            return []
        # Neither a file nor a lost object has a location.
        return self._consistency.forget_blob(place._replace(location=None))

    def _unrecorded(self, digest: Digest) -> Iterator[Problem]:
        with self._storage.exclusive_lock(digest):
            unrecorded = bool(self._garbage.unrecorded([digest]))
            self._release()
        if unrecorded and self._storage.size(Place(digest, 0)) is not None:
            yield Problem(
                "unrecorded",
                str(digest),
                "The file has no row, because a push was interrupted. Garbage"
                " collection deletes it.",
                harmless=True,
            )

    def _misplaced_tags(self) -> Iterator[Problem]:
        for repository_id, name, tag in self._consistency.misplaced_tags():
            if self._repair and not self._drop_misplaced(repository_id, tag):
                continue
            yield Problem(
                "misplaced",
                f"{name}:{tag}",
                "The tag's manifest is not in its repository. Push it again.",
                repaired=self._repair,
            )

    def _wrong_counts(self) -> Iterator[Problem]:
        if any(drift := self._usage.drift()):
            if self._repair:
                self._usage.recount()
            yield Problem(
                "miscounted",
                "totals",
                f"The counters differ from the tables by {drift.repositories}"
                f" repositories, {drift.blobs} blobs and {drift.bytes} bytes."
                " 'flask oci fsck --repair' corrects them.",
                repaired=self._repair,
                harmless=True,
            )
        for repository in self._usage.wrongly_measured():
            if self._repair:
                self._measure(repository.key)
            yield Problem(
                "miscounted",
                repository.name,
                "The recorded size of the repository is wrong. 'flask oci fsck"
                " --repair' corrects it.",
                repaired=self._repair,
                harmless=True,
            )

    def _is_intact(self, place: Place, limit: RateLimit) -> bool:
        hasher = hashlib.new(place.digest.algorithm)
        try:
            file = self._storage.open(place)
        except FileNotFoundError:
            # Garbage collection has deleted it since it was listed.
            return True
        with file:
            try:
                while piece := file.read(_PIECE):
                    hasher.update(piece)
                    limit.wait_after(len(piece))
            except EOFError:
                # The object is too short.
                return False
        return hasher.hexdigest() == place.digest.encoded


def _readable(
    digest: Digest, look: Callable[[], Iterator[Problem]]
) -> Iterator[Problem]:
    """Yield the problems of a blob, or that its file is not readable."""
    try:
        yield from look()
    except Unavailable as error:
        yield Problem("unreadable", str(digest), f"{error.message} {OWNER}")
