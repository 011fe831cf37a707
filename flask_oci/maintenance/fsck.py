"""Checking that the tables and the files say the same, and that bytes are what
their digests say.

Repair never deletes: files that are wrong are put aside, and rows that promise
what is not there are taken back, so that clients push it again.
"""

from __future__ import annotations

import hashlib
import time
import typing as t
from dataclasses import dataclass

from ..digest import Digest
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
    :param progress: told about how many bytes of a scrub have been read.
    """

    def __init__(
        self,
        catalog: Catalog,
        storage: Storage,
        *,
        repair: bool = False,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._inspection = catalog.inspection
        self._garbage = catalog.garbage
        self._release = catalog.release
        self._delete_tag = catalog.tags.delete
        self._storage = storage
        self._repair = repair
        self._progress = progress

    def check(self) -> Iterator[Problem]:
        """Compare the tables with the files, and the tables with themselves."""
        for digest, size in self._inspection.blobs():
            if self._storage.size(digest) != size:
                yield from self._lost(digest)
        for batch in batched(self._storage.digests(), BATCH):
            for digest in self._garbage.unrecorded(batch):
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
                f" {reference.manifest}. Push it again, unless the manifest is meant"
                " to be sparse.",
            )
        yield from self._misplaced_tags()
        self._release()

    def scrub(self, rate: int | None) -> Iterator[Problem]:
        """Read every blob and compare it with its digest.

        It goes on where the last scrub was broken off.

        :param rate: how many bytes to read in a second at the most.
        """
        last = self._storage.recall(BOOKMARK)
        pace = _Pace(rate)
        for digest in self._storage.digests():
            if last and str(digest) <= last:
                continue
            if not self._is_intact(digest, pace):
                yield from self._damaged(digest)
            self._storage.remember(BOOKMARK, str(digest))
        self._storage.remember(BOOKMARK, "")

    def bytes_to_scrub(self) -> int:
        """Return how many bytes a scrub would read now."""
        last = self._storage.recall(BOOKMARK)
        return sum(
            self._storage.size(digest) or 0
            for digest in self._storage.digests()
            if not last or str(digest) > last
        )

    def _lost(self, digest: Digest) -> Iterator[Problem]:
        with self._storage.removing(digest):
            expected = self._inspection.blob_size(digest)
            found = self._storage.size(digest)
            self._release()
            # It may have been collected, or pushed again, since it was listed.
            if expected is None or expected == found:
                return
            if self._repair:
                if found is not None:
                    self._storage.quarantine(digest)
                self._inspection.forget_blob(digest)
        what = "no file" if found is None else f"a file of {found} bytes"
        yield Problem(
            "lost" if found is None else "damaged",
            str(digest),
            f"The blob should have {expected} bytes and has {what}. Push it again.",
            repaired=self._repair,
        )

    def _damaged(self, digest: Digest) -> Iterator[Problem]:
        with self._storage.removing(digest):
            # A push may have replaced it by whole bytes meanwhile.
            if self._is_intact(digest, _Pace(None)):
                return
            if self._repair:
                self._storage.quarantine(digest)
                self._inspection.forget_blob(digest)
        yield Problem(
            "damaged",
            str(digest),
            "The bytes of the blob have another digest. Push it again.",
            repaired=self._repair,
        )

    def _unrecorded(self, digest: Digest) -> Iterator[Problem]:
        with self._storage.removing(digest):
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
            if self._repair:
                self._delete_tag(repository_id, tag)
            yield Problem(
                "misplaced",
                f"{name}:{tag}",
                "The tag points at nothing that is in its repository. Push it again.",
                repaired=self._repair,
            )

    def _is_intact(self, digest: Digest, pace: _Pace) -> bool:
        hasher = hashlib.new(digest.algorithm)
        try:
            file = self._storage.open(digest)
        except FileNotFoundError:
            # Collected since it was listed.
            return True
        with file:
            while piece := file.read(_PIECE):
                hasher.update(piece)
                self._progress(len(piece))
                pace.read(len(piece))
        return hasher.hexdigest() == digest.encoded


class _Pace:
    """Keeps reading at or below a rate."""

    def __init__(self, rate: int | None) -> None:
        self._rate = rate
        self._started = time.monotonic()
        self._done = 0

    def read(self, count: int) -> None:
        """Wait until ``count`` more bytes may have been read."""
        if self._rate is None:
            return
        self._done += count
        ahead = self._done / self._rate - (time.monotonic() - self._started)
        if ahead > 0:
            time.sleep(ahead)
