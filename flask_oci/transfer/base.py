"""The interfaces of sources and targets of transfers."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field

from ..spec.digest import Digest
from ..spec.manifest import Descriptor
from ..spec.manifest import Manifest
from ..spec.manifest import parse
from ..storage.protocol import Reader


class TransferError(ValueError):
    """An image could not be transferred; the message has the reason and the remedy."""

    status: int | None = None
    """The status with which another registry refused a request, if it answered."""


class Interrupted(TransferError):
    """A temporary failure; another attempt may succeed."""


class RawManifest(t.NamedTuple):
    """A manifest with its exact bytes, which have the digest."""

    digest: Digest
    media_type: str
    content: bytes

    def parsed(self) -> Manifest:
        """Return the parsed manifest.

        :raises ManifestInvalid: if it is invalid.
        """
        return parse(self.content, self.media_type)


class TransferProgress:
    """Receives the progress of a transfer; this class ignores it."""

    def expect(self, size: int) -> None:
        """Add ``size`` bytes to the total."""

    def advance(self, size: int) -> None:
        """Add ``size`` bytes that were transferred or skipped."""

    @contextmanager
    def blob(self, digest: Digest, size: int) -> Iterator[Callable[[int], None]]:
        """Report the transfer of one blob, which lasts as long as the context.

        Several blobs may be transferred at once, each in its thread.

        :param digest: the digest of the blob.
        :param size: its size in bytes.
        :return: a context, whose value is a function that receives the number of bytes
            of each piece. A negative number takes back the bytes of a failed attempt.
            By default it is :meth:`advance`.
        """
        yield self.advance


@dataclass
class TransferResult:
    """The result of a transfer."""

    images: list[tuple[str | None, Digest]] = field(default_factory=list)
    """The requested tags and digests, including those that needed no transfer."""

    manifests: int = 0
    """The number of manifests written."""

    blobs: int = 0
    """The number of blobs written."""

    bytes: int = 0
    """The size of these blobs, in bytes."""

    mounted: int = 0
    """The number of blobs linked from another repository."""


class Source(t.Protocol):
    """A place to read images from."""

    def references(self) -> list[str]:
        """Return the tags, and the digests of untagged top-level manifests."""

    def find(self, reference: str) -> RawManifest:
        """Return the manifest of a tag or a digest.

        :raises TransferError: if there is none.
        """

    def manifest(self, wanted: Descriptor) -> RawManifest:
        """Return a child manifest of an index.

        :raises TransferError: if it is missing or has another digest.
        """

    def open(self, wanted: Descriptor) -> AbstractContextManager[Reader]:
        """Open a blob for reading; its bytes are not verified.

        :raises TransferError: if it is missing.
        """

    def referrers(self, digest: Digest) -> list[Descriptor]:
        """Return the manifests with this subject."""

    def attached(self, digest: Digest) -> list[str]:
        """Return the tags under which clients store related content of a manifest
        (``sha256-<digits>.sig`` of cosign and similar ones)."""


class Target(t.Protocol):
    """A place to write images to."""

    parallel: bool
    """Whether several blobs can be put at once."""

    def has_manifest(self, digest: Digest) -> bool:
        """Return True if a manifest and its content exist and will not expire."""

    def lists(self, item: RawManifest) -> bool:
        """Return True if an existing manifest is listed among the referrers of its
        subject, or has no subject."""

    def has_blob(self, wanted: Descriptor) -> bool:
        """Return True if a blob exists and will not expire before its manifest
        arrives."""

    def points_at(self, tag: str) -> Digest | None:
        """Return the digest of a tag."""

    def mount(self, wanted: Descriptor, source: Source) -> bool:
        """Link a blob from another repository, if no bytes need to be sent."""

    def put_blob(self, wanted: Descriptor, source: Reader) -> None:
        """Write a blob.

        :raises RegistryError: if its bytes have another digest; nothing is stored.
        """

    def put_manifest(self, item: RawManifest, tag: str | None) -> None:
        """Write a manifest, after its content.

        :param tag: its tag; None stores it by digest only.
        """


def attached_tags(digest: Digest) -> list[str]:
    """Return the tags of related content of a manifest, from clients that do not use
    the referrers API."""
    prefix = f"{digest.algorithm}-{digest.encoded}"
    return [f"{prefix}.{kind}" for kind in ("sig", "att", "sbom")]


def fallback_tag(digest: Digest) -> str:
    """Return the fallback tag of the referrers API (spec.md, "Referrers Tag
    Schema")."""
    return f"{digest.algorithm[:32]}-{digest.encoded[:64]}"


def checked(content: bytes, digest: Digest, media_type: str) -> RawManifest:
    """Return a manifest after comparing its digest with the requested one.

    :raises TransferError: if they differ.
    """
    if Digest.of(content, digest.algorithm) != digest:
        raise TransferError(
            f"The content of manifest {digest} does not match its digest."
        )
    return RawManifest(digest, media_type, content)
