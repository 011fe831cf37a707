"""Transfer of images from a source to a target, dependencies first."""

from __future__ import annotations

import hashlib
import threading
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence

from ..errors import DigestInvalid
from ..errors import ManifestBlobUnknown
from ..errors import SizeInvalid
from ..spec.digest import Digest
from ..spec.manifest import Descriptor
from ..spec.manifest import INDEX_TYPES
from ..spec.manifest import MANIFEST_TYPES
from ..storage.protocol import Reader
from . import platforms
from .base import Interrupted
from .base import RawManifest
from .base import Source
from .base import Target
from .base import TransferError
from .base import TransferProgress
from .base import TransferResult

#: The largest depth of nested indexes and of chained referrers.
MAX_DEPTH: t.Final = 8

#: The number of attempts for a blob. Remote blobs pause between their attempts.
ATTEMPTS: t.Final = 3

#: Runs a function for each blob, in parallel or one by one.
Hands = Callable[[Callable[[Descriptor], None], Iterable[Descriptor]], None]


def one_by_one(work: Callable[[Descriptor], None], blobs: Iterable[Descriptor]) -> None:
    """Transfer one blob after the other."""
    for blob in blobs:
        work(blob)


class Transfer:
    """Transfers images from a source to a target.

    Content that the target has is skipped, so an interrupted transfer can be resumed. A
    manifest is written after its content, and its tag with it, so clients never see an
    incomplete image.

    :param referrers: whether to transfer the referrers of an image and of its parts.
    :param wanted: the platforms of an index; none transfers all of them.
    :param progress: receives the transferred bytes.
    :param pool: transfers the blobs of one manifest.
    :param before_tag: called before the tag of an image is written, after its content.
    """

    def __init__(
        self,
        source: Source,
        target: Target,
        *,
        referrers: bool = False,
        wanted: Sequence[str] = (),
        progress: TransferProgress | None = None,
        pool: Hands = one_by_one,
        before_tag: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._target = target
        self._referrers = referrers
        self._wanted = wanted
        self._progress = progress or TransferProgress()
        self._pool = pool if target.parallel else one_by_one
        self._before_tag = before_tag
        self._done: set[Digest] = set()
        self._counting = threading.Lock()
        self.moved = TransferResult()

    def image(self, reference: str, tag: str | None) -> RawManifest:
        """Transfer the image of a reference.

        :param reference: a tag or a digest of the source.
        :param tag: the tag in the target; None stores it by digest only.
        :return: the manifest in the target.
        :raises TransferError: if content is missing or wrong.
        :raises RegistryError: if the target refuses it.
        """
        item = self._source.find(reference)
        if self._wanted:
            item = platforms.select(item, self._source, self._wanted)
        if tag is None or self._target.points_at(tag) != item.digest:
            self._manifest(item, tag, 0)
        elif self._referrers:
            # Signatures may be newer than an existing image.
            self._put_referrers(item, 0)
        self.moved.images.append((tag, item.digest))
        return item

    def _manifest(self, item: RawManifest, tag: str | None, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise TransferError(
                f"{item.digest} is nested more than {MAX_DEPTH} levels deep."
            )
        is_there = item.digest in self._done or self._target.has_manifest(item.digest)
        if not is_there:
            self._needs(item, depth)
        if not is_there or tag is not None or not self._target.lists(item):
            self._put(item, tag, depth, is_there)
        if item.digest not in self._done:
            self._done.add(item.digest)
            if self._referrers:
                self._put_referrers(item, depth)

    def _put(
        self, item: RawManifest, tag: str | None, depth: int, is_there: bool
    ) -> None:
        if tag is not None and depth == 0:
            self._before_tag()
        try:
            self._target.put_manifest(item, tag)
        except Interrupted:
            raise
        except (TransferError, ManifestBlobUnknown):
            # A target may have a manifest and lack its content.
            if not is_there:
                raise
            self._needs(item, depth)
            self._target.put_manifest(item, tag)
        self.moved.manifests += 1

    def _needs(self, item: RawManifest, depth: int) -> None:
        """Transfer the child manifests and blobs of a manifest."""
        blobs: dict[Digest, Descriptor] = {}
        for wanted in item.parsed().descriptors:
            if wanted.kind == "child" and is_manifest(wanted):
                if self._referrers or not self._target.has_manifest(wanted.digest):
                    self._manifest(self._child(wanted, item), None, depth + 1)
            elif not wanted.foreign:
                blobs[wanted.digest] = wanted
        for wanted in blobs.values():
            self._progress.expect(wanted.size)
        self._pool(self._blob, blobs.values())

    def _child(self, wanted: Descriptor, parent: RawManifest) -> RawManifest:
        try:
            return self._source.manifest(wanted)
        except Interrupted:
            raise
        except TransferError as error:
            raise TransferError(
                f"{error} The index {parent.digest} needs it. If you do not need its"
                " platform, choose others, for example with '--platform linux/amd64'."
            ) from error

    def _blob(self, wanted: Descriptor) -> None:
        for attempt in range(ATTEMPTS):
            try:
                return self._move(wanted)
            except Interrupted:
                if attempt == ATTEMPTS - 1:
                    raise
        return None

    def _move(self, wanted: Descriptor) -> None:
        if self._target.has_blob(wanted):
            self._progress.advance(wanted.size)
            return
        if self._target.mount(wanted, self._source):
            self._progress.advance(wanted.size)
            with self._counting:
                self.moved.mounted += 1
            return
        with (
            self._source.open(wanted) as source,
            self._progress.blob(wanted.digest, wanted.size) as advance,
        ):
            checking = VerifyingReader(source, wanted, advance)
            try:
                self._target.put_blob(wanted, checking)
                checking.finish()
            except BaseException:
                advance(-checking.passed)
                raise
        with self._counting:
            self.moved.blobs += 1
            self.moved.bytes += wanted.size

    def _put_referrers(self, item: RawManifest, depth: int) -> None:
        """Transfer the referrers of a manifest and of its children."""
        for wanted in self._source.referrers(item.digest):
            if wanted.digest not in self._done:
                self._manifest(self._source.manifest(wanted), None, depth + 1)
        for tag in self._source.attached(item.digest):
            attached = self._source.find(tag)
            if self._target.points_at(tag) != attached.digest:
                self._manifest(attached, tag, depth + 1)
        if item.media_type not in INDEX_TYPES or depth > MAX_DEPTH:
            return
        for child in item.parsed().descriptors:
            if is_manifest(child) and child.digest not in self._done:
                # The image is in the target, but its signatures may not be.
                self._done.add(child.digest)
                self._put_referrers(self._source.manifest(child), depth + 1)


class VerifyingReader:
    """Reads a blob and verifies it.

    A target stores a blob only after reading all of it: wrong bytes raise an error and
    never look like the end.

    :param advance: receives the number of bytes of each piece.
    """

    def __init__(
        self, source: Reader, wanted: Descriptor, advance: Callable[[int], object]
    ) -> None:
        self._source = source
        self._wanted = wanted
        self._advance = advance
        self._hash = hashlib.new(wanted.digest.algorithm)
        self._left = wanted.size
        self._ended = False

    @property
    def passed(self) -> int:
        """The number of bytes read."""
        return self._wanted.size - max(self._left, 0)

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none at the end.

        :raises SizeInvalid: if there are more, or fewer, than the descriptor states.
        :raises DigestInvalid: if the digest differs.
        """
        piece = self._source.read(min(size, self._left + 1))
        if piece:
            self._left -= len(piece)
            if self._left < 0:
                raise SizeInvalid(
                    f"{self._wanted.digest} has more than the {self._wanted.size} bytes"
                    " of its descriptor.",
                    detail=str(self._wanted.digest),
                )
            self._hash.update(piece)
            self._advance(len(piece))
        if not piece or not self._left:
            self._check()
        return piece

    def finish(self) -> None:
        """Verify that the target has read everything."""
        while not self._ended:
            self.read(1)

    def _check(self) -> None:
        if self._left:
            raise SizeInvalid(
                f"{self._wanted.digest} has {self._wanted.size - self._left} bytes, but"
                f" {self._wanted.size} in its descriptor.",
                detail=str(self._wanted.digest),
            )
        self._ended = True
        if self._hash.hexdigest() != self._wanted.digest.encoded:
            raise DigestInvalid(
                f"The bytes of {self._wanted.digest} have another digest.",
                detail=str(self._wanted.digest),
            )


def is_manifest(wanted: Descriptor) -> bool:
    """Return True if a descriptor is of a manifest. An index may also list blobs, as
    BuildKit's caches do."""
    return wanted.media_type in MANIFEST_TYPES | INDEX_TYPES
