"""What a place with images can be asked, and what a place for them can be told."""

from __future__ import annotations

import typing as t
from contextlib import AbstractContextManager
from dataclasses import dataclass
from dataclasses import field

from ..spec.digest import Digest
from ..spec.manifest import Descriptor
from ..spec.manifest import Manifest
from ..spec.manifest import parse
from ..storage.protocol import Reader


class TransferError(ValueError):
    """An image could not be moved; the message says why, and what to do."""


class Interrupted(TransferError):
    """Something did not answer; another time, it may."""


class RawManifest(t.NamedTuple):
    """A manifest with its exact bytes, which have the digest."""

    digest: Digest
    media_type: str
    content: bytes

    def parsed(self) -> Manifest:
        """Return what it says.

        :raises ManifestInvalid: when it is no manifest.
        """
        return parse(self.content, self.media_type)


class Progress:
    """Is told how far a transfer has got. This one tells nobody."""

    def expect(self, size: int) -> None:
        """Note that ``size`` more bytes are to be moved."""

    def advance(self, size: int) -> None:
        """Note that ``size`` bytes have been moved, or need not be."""


@dataclass
class TransferResult:
    """What a transfer did."""

    images: list[tuple[str | None, Digest]] = field(default_factory=list)
    """The tags and digests that were asked for, whether or not anything had to be
    moved for them."""

    manifests: int = 0
    """How many manifests were put."""

    blobs: int = 0
    """How many blobs were put."""

    bytes: int = 0
    """How many bytes these blobs have."""

    mounted: int = 0
    """How many blobs were linked from a place where they were already."""


class Source(t.Protocol):
    """A place that has images."""

    def references(self) -> list[str]:
        """Return the tags, and the digests of what has none and stands by itself."""

    def find(self, reference: str) -> RawManifest:
        """Return what a tag or a digest names.

        :raises TransferError: when there is no such thing.
        """

    def manifest(self, wanted: Descriptor) -> RawManifest:
        """Return a manifest that another one has as its child.

        :raises TransferError: when it is not there, or has another digest.
        """

    def open(self, wanted: Descriptor) -> AbstractContextManager[Reader]:
        """Open a blob for reading, whether or not its bytes are right.

        :raises TransferError: when it is not there.
        """

    def referrers(self, digest: Digest) -> list[Descriptor]:
        """Return the manifests whose subject this is."""

    def attached(self, digest: Digest) -> list[str]:
        """Return the tags under which clients put what belongs to a manifest
        (cosign's ``sha256-<digits>.sig`` and the like)."""


class Target(t.Protocol):
    """A place that images can be put."""

    parallel: bool
    """Whether several blobs can be put at once."""

    def has_manifest(self, digest: Digest) -> bool:
        """Tell whether a manifest is there, with all that it needs, and stays."""

    def lists(self, item: RawManifest) -> bool:
        """Tell whether a manifest that is there is found among the referrers of its
        subject, if it has one."""

    def has_blob(self, wanted: Descriptor) -> bool:
        """Tell whether a blob is there, and stays until its manifest comes."""

    def points_at(self, tag: str) -> Digest | None:
        """Return what a tag names there."""

    def mount(self, wanted: Descriptor, source: Source) -> bool:
        """Take a blob from where it is already, if it can be had without its bytes."""

    def put_blob(self, wanted: Descriptor, source: Reader) -> None:
        """Take a blob in.

        :raises RegistryError: when its bytes have another digest; nothing is kept.
        """

    def put_manifest(self, item: RawManifest, tag: str | None) -> None:
        """Take a manifest in, after what it needs.

        :param tag: what to call it; None leaves it with its digest.
        """


def attached_tags(digest: Digest) -> list[str]:
    """Return the tags that clients make for what belongs to a manifest, where they
    do not use the referrers API."""
    prefix = f"{digest.algorithm}-{digest.encoded}"
    return [f"{prefix}.{kind}" for kind in ("sig", "att", "sbom")]


def checked(content: bytes, digest: Digest, media_type: str) -> RawManifest:
    """Return a manifest whose bytes have the digest that was asked for.

    :raises TransferError: when they have another one.
    """
    if Digest.of(content, digest.algorithm) != digest:
        raise TransferError(f"The manifest {digest} has other bytes than it should.")
    return RawManifest(digest, media_type, content)
