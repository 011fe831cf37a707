"""OCI image layouts (image-spec, image-layout.md), in a folder or a tar archive."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cached_property

from ..spec.digest import Digest
from ..spec.digest import is_digest
from ..spec.json_object import read_object
from ..spec.manifest import Descriptor
from ..spec.manifest import INDEX_TYPES
from ..spec.manifest import MANIFEST_TYPES
from ..spec.manifest import OCI_INDEX
from ..spec.manifest import parse
from ..spec.reference import is_tag
from ..storage.protocol import Reader
from . import archive_writer
from .archive_reader import Files
from .archive_reader import read
from .archive_writer import ArchiveSink
from .base import attached_tags
from .base import checked
from .base import RawManifest
from .base import Source
from .base import TransferError

MARK: t.Final = "oci-layout"
INDEX: t.Final = "index.json"

#: "The version of the layout" (image-layout.md, "oci-layout file").
VERSION: t.Final = "1.0.0"

#: "The `org.opencontainers.image.ref.name` annotation [...] represents a "tag" for an
#: image" (image-layout.md, "index.json file").
REF_NAME: t.Final = "org.opencontainers.image.ref.name"

#: The annotation with the full image name, used by containerd and Docker.
FULL_NAME: t.Final = "io.containerd.image.name"


class Entry(t.NamedTuple):
    """A manifest that ``index.json`` lists."""

    descriptor: Descriptor
    name: str | None


class Layout:
    """The images of a layout, as a :class:`~flask_oci.transfer.base.Source`.

    :param files: the files of the layout.
    :param limit: the largest size of a manifest, in bytes.
    :raises TransferError: if it is no layout, or one of another version.
    """

    def __init__(self, files: Files, limit: int) -> None:
        self._files = files
        self._limit = limit
        version = read_object(read(files, MARK, 4096)).get("imageLayoutVersion")
        if version != VERSION:
            raise TransferError(
                f"The version {version} of OCI image layouts is not supported."
            )
        self._entries = list(_entries(read(files, INDEX, limit)))
        # The next reference often names the same manifest.
        self._latest: RawManifest | None = None

    def references(self) -> list[str]:
        """Return the names, and the digests of unnamed manifests."""
        found: dict[str, None] = {}
        for entry in self._entries:
            digest = str(entry.descriptor.digest)
            found[digest if entry.name in found else entry.name or digest] = None
        return list(found)

    def find(self, reference: str) -> RawManifest:
        """Return the manifest of a name or a digest."""
        if reference in self._by_reference:
            return self.manifest(self._by_reference[reference])
        raise TransferError(
            f"There is no {reference} in the archive. It has"
            f" {', '.join(self.references())}."
        )

    def manifest(self, wanted: Descriptor) -> RawManifest:
        """Return a listed manifest, or a child of one."""
        latest = self._latest
        if latest is None or latest[:2] != (wanted.digest, wanted.media_type):
            content = read(self._files, blob_path(wanted.digest), self._limit)
            latest = checked(content, wanted.digest, wanted.media_type)
            self._latest = latest
        return latest

    def open(self, wanted: Descriptor) -> AbstractContextManager[Reader]:
        """Open a blob for reading."""
        return self._files.open(blob_path(wanted.digest))

    def referrers(self, digest: Digest) -> list[Descriptor]:
        """Return the listed manifests with this subject."""
        return self._by_subject.get(digest, [])

    def attached(self, digest: Digest) -> list[str]:
        """Return the names of related content of a manifest."""
        return [tag for tag in attached_tags(digest) if tag in self._by_reference]

    @cached_property
    def _by_reference(self) -> dict[str, Descriptor]:
        """The entries by name and by digest; of two with the same, the first counts."""
        return {
            reference: entry.descriptor
            for entry in self._entries[::-1]
            for reference in (str(entry.descriptor.digest), entry.name)
            if reference is not None
        }

    @cached_property
    def _by_subject(self) -> dict[Digest, list[Descriptor]]:
        found: dict[Digest, list[Descriptor]] = {}
        # Several entries may name one manifest.
        listed = {entry.descriptor.digest: entry.descriptor for entry in self._entries}
        for descriptor in listed.values():
            subject = self.manifest(descriptor).parsed().subject
            if subject is not None:
                found.setdefault(subject, []).append(descriptor)
        return found


class LayoutTarget:
    """A layout to write, as a :class:`~flask_oci.transfer.base.Target`.

    :param sink: the output.
    :param before: the existing entries of ``index.json``.
    """

    parallel = False

    def __init__(
        self, sink: ArchiveSink, before: t.Sequence[dict[str, t.Any]] = ()
    ) -> None:
        self._sink = sink
        self._listed = list(before)

    def has_manifest(self, digest: Digest) -> bool:
        """Return False: the content of an existing manifest may be missing."""
        return False

    def lists(self, item: RawManifest) -> bool:
        """Return True: a stored manifest contains its subject."""
        return True

    def has_blob(self, wanted: Descriptor) -> bool:
        """Return True if a blob exists."""
        return self._sink.has(blob_path(wanted.digest), wanted.size)

    def points_at(self, tag: str) -> Digest | None:
        """Return nothing: every tag is written."""
        return None

    def mount(self, wanted: Descriptor, source: Source) -> bool:
        """Return False: a layout cannot link blobs."""
        return False

    def put_blob(self, wanted: Descriptor, source: Reader) -> None:
        """Write a blob."""
        self._sink.write(blob_path(wanted.digest), source, wanted.size)

    def put_manifest(self, item: RawManifest, tag: str | None) -> None:
        """Write a manifest as a blob, and list it if it has a name."""
        path = blob_path(item.digest)
        if not self._sink.has(path, len(item.content)):
            archive_writer.put(self._sink, path, item.content)
        # Readers find a referrer only through this list.
        if tag is not None or item.parsed().subject is not None:
            self.add_name(item, tag)

    def add_name(self, item: RawManifest, name: str | None) -> None:
        """Add a manifest to ``index.json``.

        :param name: its tag.
        """
        entry: dict[str, t.Any] = {
            "mediaType": item.media_type,
            "digest": str(item.digest),
            "size": len(item.content),
        }
        artifact_type = item.parsed().artifact_type
        if artifact_type and item.parsed().subject:
            entry["artifactType"] = artifact_type
        if name:
            # Each name belongs to one manifest.
            self._listed = [e for e in self._listed if _name(e) != name]
            entry["annotations"] = {REF_NAME: name}
        if entry not in self._listed:
            self._listed.append(entry)

    def finish(self) -> None:
        """Write ``index.json`` at the end."""
        mark = {"imageLayoutVersion": VERSION}
        archive_writer.put(self._sink, MARK, json.dumps(mark).encode())
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self._listed}
        archive_writer.put(self._sink, INDEX, json.dumps(index).encode())


def listed(files: Files, limit: int) -> list[dict[str, t.Any]]:
    """Return the entries of ``index.json``, or none."""
    if files.size(INDEX) is None:
        return []
    content = read(files, INDEX, limit)
    parse(content, OCI_INDEX)
    return t.cast("list[dict[str, t.Any]]", read_object(content)["manifests"] or [])


def blob_path(digest: Digest) -> str:
    """Return the path of a blob in a layout."""
    return f"blobs/{digest.algorithm}/{digest.encoded}"


def tag_of(name: str) -> str | None:
    """Return the tag in a name, which may include a repository, or be a digest without
    a tag."""
    if is_digest(name):
        return None
    tag = name.rpartition(":")[2]
    return tag if is_tag(tag) else None


def _entries(content: bytes) -> Iterator[Entry]:
    described = parse(content, OCI_INDEX).descriptors
    fields = read_object(content)["manifests"] or ()
    for descriptor, entry in zip(described, fields, strict=True):
        # Entries of other types may be listed; "implementations SHOULD ignore them".
        if descriptor.media_type in MANIFEST_TYPES | INDEX_TYPES:
            yield Entry(descriptor, _name(entry))


def _name(entry: dict[str, t.Any]) -> str | None:
    annotations = entry.get("annotations")
    if not isinstance(annotations, dict):
        return None
    name = annotations.get(REF_NAME) or annotations.get(FULL_NAME)
    return name if isinstance(name, str) else None
