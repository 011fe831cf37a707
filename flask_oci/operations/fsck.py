"""Checking that the tables and the files say the same, and that bytes are what
their digests say.

Repair deletes no file: those that are wrong are put aside, and rows that promise
what is not there, and that nothing needs, are taken back. What is needed and lost
stays on record, and is answered 404, until somebody pushes it again.
"""

from __future__ import annotations

import hashlib
import time
import typing as t
from dataclasses import dataclass

from ..spec.digest import Digest
from .gc import BATCH
from .gc import batched

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

    from ..catalog import Catalog
    from ..storage import Storage

#: Under which name the storage remembers how far a scrub has got.
BOOKMARK: t.Final = "scrub"

_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be."""

    kind: str
    """``lost``, ``damaged``, ``unrecorded``, ``dangling`` or ``misplaced``."""

    subject: str
    """The digest or the name that it is about."""

    message: str
    """What is wrong, and what to do."""

    repaired: bool = False
    """Whether it has been mended."""

    harmless: bool = False
    """Whether nobody will notice: nothing that was acknowledged is missing."""


class Checker:
    """Checks one application's registry, while it runs.

    :param repair: whether to mend what can be mended.
    :param sparse: whether manifests may do without what they reference.
    """

    def __init__(
        self,
        catalog: Catalog,
        storage: Storage,
        *,
        repair: bool = False,
        sparse: bool = False,
    ) -> None:
        self._inspection = catalog.consistency
        self._garbage = catalog.garbage
        self._release = catalog.release
        self._drop_misplaced = catalog.tags.drop_misplaced
        self._storage = storage
        self._repair = repair
        self._sparse = sparse

    def check(self) -> Iterator[Problem]:
        """Compare the tables with the files, and the tables with themselves."""
        for digest, size in self._inspection.blobs():
            if self._storage.size(digest) != size:
                yield from self._lost(digest)
        for batch in batched(self._storage.digests(), BATCH):
            unrecorded = self._garbage.unrecorded(batch)
            # Nobody is to wait for a file while it holds a connection.
            self._release()
            for digest in unrecorded:
                yield from self._unrecorded(digest)
        for repository, digest_text in self._inspection.damaged_manifests():
            yield Problem(
                "damaged",
                digest_text,
                f"The bytes of this manifest of {repository} have another digest."
                " Restore the database, or push the manifest again after deleting it.",
            )
        for reference in self._inspection.dangling():
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
        """Read every blob and compare it with its digest.

        It goes on where the last scrub was broken off.

        :param rate: how many bytes to read in a second at the most.
        :param progress: told how many bytes have been read, now and then.
        """
        reading = _Reading(rate, progress)
        for digest in self._to_scrub():
            if not self._is_intact(digest, reading):
                yield from self._damaged(digest)
            self._storage.remember(BOOKMARK, str(digest))
        self._storage.remember(BOOKMARK, "")

    def bytes_to_scrub(self) -> int:
        """Return how many bytes a scrub would read now."""
        return sum(self._storage.size(digest) or 0 for digest in self._to_scrub())

    def _to_scrub(self) -> Iterator[Digest]:
        last = self._storage.recall(BOOKMARK)
        return (d for d in self._storage.digests() if str(d) > last)

    def _lost(self, digest: Digest) -> Iterator[Problem]:
        with self._storage.exclusive_lock(digest):
            expected = self._inspection.blob_size(digest)
            found = self._storage.size(digest)
            self._release()
            # It may have been collected, or pushed again, since it was listed.
            if expected is None or expected == found:
                return
            needed_by = self._put_aside(digest) if self._repair else []
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
            # A push may have replaced it by whole bytes meanwhile.
            if self._is_intact(digest, _Reading()):
                return
            needed_by = self._put_aside(digest) if self._repair else []
        yield Problem(
            "damaged",
            str(digest),
            "The bytes of the blob have another digest." + _to_push(needed_by),
            repaired=self._repair and not needed_by,
        )

    def _put_aside(self, digest: Digest) -> list[str]:
        """Return the repositories that need what is not served any more."""
        self._storage.quarantine(digest)
        return self._inspection.forget_blob(digest)

    def _unrecorded(self, digest: Digest) -> Iterator[Problem]:
        with self._storage.exclusive_lock(digest):
            unrecorded = bool(self._garbage.unrecorded([digest]))
            self._release()
        if unrecorded and self._storage.size(digest) is not None:
            yield Problem(
                "unrecorded",
                str(digest),
                "A file that no row knows: a push that was broken off left it. The"
                " collection removes it.",
                harmless=True,
            )

    def _misplaced_tags(self) -> Iterator[Problem]:
        for repository_id, name, tag in self._inspection.misplaced_tags():
            if self._repair and not self._drop_misplaced(repository_id, tag):
                continue
            yield Problem(
                "misplaced",
                f"{name}:{tag}",
                "The tag points at nothing that is in its repository. Push it again.",
                repaired=self._repair,
            )

    def _is_intact(self, digest: Digest, reading: _Reading) -> bool:
        hasher = hashlib.new(digest.algorithm)
        try:
            file = self._storage.open(digest)
        except FileNotFoundError:
            # Collected since it was listed.
            return True
        with file:
            while piece := file.read(_PIECE):
                hasher.update(piece)
                reading.went_on(len(piece))
        return hasher.hexdigest() == digest.encoded


def _to_push(needed_by: list[str]) -> str:
    if not needed_by:
        return " Push it again."
    return f" Push it again, to one of: {', '.join(needed_by)}."


class _Reading:
    """Tells of bytes that are read, and keeps them at or below a rate.

    :param rate: how many to read in a second at the most.
    :param progress: told how many have been read.
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

    def went_on(self, count: int) -> None:
        """Return when more than these ``count`` bytes may be read."""
        self._progress(count)
        self._done += count
        if self._rate is not None:
            spent = time.monotonic() - self._started
            time.sleep(max(self._done / self._rate - spent, 0))
