"""Consistency checks of the database against the storage, and of bytes against their
digests.

A repair deletes no file. Damaged files are quarantined. Rows of missing content that no
manifest needs are deleted. Missing content that a manifest needs stays recorded and is
answered with 404, until a client pushes it again.
"""

from __future__ import annotations

import hashlib
import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from ..core.storage_identity import StorageIdentity
from ..errors import Unavailable
from ..spec.digest import Digest
from .gc import BATCH_SIZE
from .gc import batched

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

    from ..catalog import Catalog
    from ..storage import Storage

#: The name under which the storage keeps the position of a scrub.
BOOKMARK: t.Final = "scrub"

#: The remedy for a file or folder that cannot be read.
OWNER: t.Final = (
    "Give all files in the storage folder to the user of the server, as 'flask oci"
    " check' describes, or replace the disk if it is damaged."
)

_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Problem:
    """An inconsistency that a check found."""

    kind: str
    """``foreign``, ``lost``, ``damaged``, ``unreadable``, ``unrecorded``, ``dangling``
    or ``misplaced``."""

    subject: str
    """The digest or the name that the problem is about."""

    message: str
    """The problem and the remedy."""

    repaired: bool = False
    """True if it has been repaired."""

    harmless: bool = False
    """True if no acknowledged content is missing."""


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
        self._consistency = catalog.consistency
        self._garbage = catalog.garbage
        self._release = catalog.release
        self._drop_misplaced = catalog.tags.drop_misplaced
        self._storage = storage
        self._identity = StorageIdentity(catalog, storage)
        self._repair = repair
        self._sparse = sparse

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
        for digest, size in self._consistency.blobs():
            yield from _readable(digest, partial(self._sized, digest, size))
        unreadable: list[str] = []
        for batch in batched(self._storage.digests(unreadable), BATCH_SIZE):
            unrecorded = self._garbage.unrecorded(batch)
            # A lock on a file may take long, and must not hold a database connection.
            self._release()
            for digest in unrecorded:
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
        limit = _RateLimit(rate, progress)
        for digest in self._to_scrub():
            yield from _readable(digest, partial(self._scrubbed, digest, limit))
            self._storage.remember(BOOKMARK, str(digest))
        self._storage.remember(BOOKMARK, "")

    def bytes_to_scrub(self) -> int:
        """Return the number of bytes that a scrub would read now."""
        return sum(self._size(digest) for digest in self._to_scrub())

    def _size(self, digest: Digest) -> int:
        with suppress(Unavailable):
            return self._storage.size(digest) or 0
        return 0

    def _to_scrub(self) -> Iterator[Digest]:
        last = self._storage.recall(BOOKMARK)
        return (d for d in self._storage.digests([]) if str(d) > last)

    def _sized(self, digest: Digest, size: int) -> Iterator[Problem]:
        if self._storage.size(digest) != size:
            yield from self._lost(digest)

    def _scrubbed(self, digest: Digest, limit: _RateLimit) -> Iterator[Problem]:
        if not self._is_intact(digest, limit):
            yield from self._damaged(digest)

    def _lost(self, digest: Digest) -> Iterator[Problem]:
        with self._storage.exclusive_lock(digest):
            expected = self._consistency.blob_size(digest)
            found = self._storage.size(digest)
            self._release()
            # It may have been deleted or pushed again since it was listed.
            if expected is None or expected == found:
                return
            needed_by = self._quarantine(digest) if self._repair else []
        what = "no file" if found is None else f"a file of {found} bytes"
        yield Problem(
            "lost" if found is None else "damaged",
            str(digest),
            f"The blob should have {expected} bytes and has {what}."
            + _to_push(needed_by),
            repaired=self._repair and not needed_by,
        )

    def _damaged(self, digest: Digest) -> Iterator[Problem]:
        with self._storage.exclusive_lock(digest):
            # A push may have replaced it by an intact file meanwhile.
            if self._is_intact(digest, _RateLimit()):
                return
            needed_by = self._quarantine(digest) if self._repair else []
        yield Problem(
            "damaged",
            str(digest),
            "The bytes of the blob have another digest." + _to_push(needed_by),
            repaired=self._repair and not needed_by,
        )

    def _quarantine(self, digest: Digest) -> list[str]:
        """Quarantine a file, and return the repositories that need the blob."""
        self._storage.quarantine(digest)
        return self._consistency.forget_blob(digest)

    def _unrecorded(self, digest: Digest) -> Iterator[Problem]:
        with self._storage.exclusive_lock(digest):
            unrecorded = bool(self._garbage.unrecorded([digest]))
            self._release()
        if unrecorded and self._storage.size(digest) is not None:
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

    def _is_intact(self, digest: Digest, limit: _RateLimit) -> bool:
        hasher = hashlib.new(digest.algorithm)
        try:
            file = self._storage.open(digest)
        except FileNotFoundError:
            # Garbage collection has deleted it since it was listed.
            return True
        with file:
            while piece := file.read(_PIECE):
                hasher.update(piece)
                limit.wait_after(len(piece))
        return hasher.hexdigest() == digest.encoded


def _readable(
    digest: Digest, look: Callable[[], Iterator[Problem]]
) -> Iterator[Problem]:
    """Yield the problems of a blob, or that its file is not readable."""
    try:
        yield from look()
    except Unavailable as error:
        yield Problem("unreadable", str(digest), f"{error.message} {OWNER}")


def _to_push(needed_by: list[str]) -> str:
    if not needed_by:
        return " Push it again."
    return f" Push it again, to one of: {', '.join(needed_by)}."


class _RateLimit:
    """Reports bytes that are read, and limits their rate.

    :param rate: the maximum number of bytes to read per second; None means no limit.
    :param progress: called with the number of bytes of each piece.
    """

    def __init__(
        self,
        rate: int | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._rate = rate
        self._progress = progress
        self._started = time.monotonic()
        self._done = 0

    def wait_after(self, count: int) -> None:
        """Report ``count`` bytes, and sleep until more bytes may be read."""
        self._progress(count)
        self._done += count
        if self._rate is not None:
            spent = time.monotonic() - self._started
            time.sleep(max(self._done / self._rate - spent, 0))
