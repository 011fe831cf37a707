"""Pushed JSON documents, read with limits and without trust in their structure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from itertools import islice

from ..errors import ManifestInvalid
from ..spec.digest import Digest
from ..spec.json_object import read_blob_object
from ..spec.json_object import read_file_object
from ..spec.json_object import read_stored_object
from ..spec.manifest import written_platform
from ..storage import Place

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable

    from ..catalog import Catalog
    from ..storage import Storage

#: The maximum size of a config for lists, which read one for each entry, in bytes.
SMALL_CONFIG: t.Final = 64 * 1024

#: The maximum size of a config for the page of one image, in bytes.
LARGE_CONFIG: t.Final = 2 * 1024 * 1024

#: The maximum number of entries of a list or an object.
MAX_SHOWN: t.Final = 500

Pairs = list[tuple[str, str]]


class Documents:
    """Reads JSON documents that clients pushed as blobs.

    :param catalog: records which repositories link the blobs.
    :param storage: stores the blobs.
    """

    def __init__(self, catalog: Catalog, storage: Storage) -> None:
        self._catalog = catalog
        self._storage = storage

    def read(self, place: Place, limit: int) -> dict[str, t.Any]:
        """Return the JSON object in a blob; empty if there is none.

        The caller must check that the repository links the blob.

        :param place: the place of the blob.
        :param limit: the maximum size in bytes; a larger blob is not read.
        """
        content = self.content(place, limit)
        if content is None:
            return {}
        return _as_object(content, read_blob_object)

    def read_unlinked(self, digest: Digest, size: int, limit: int) -> dict[str, t.Any]:
        """Return the JSON object in a blob that any repository may have, as
        :meth:`read` does.

        :param size: the size in bytes that a client declares.
        """
        place: Place | None = Place(digest, size)
        if self._storage.has_locations:
            place = self._catalog.blob_places.find(digest)
            self._catalog.release()
        return {} if place is None else self.read(place, limit)

    def content(self, place: Place, limit: int) -> bytes | None:
        """Return the bytes of a blob; None if it is missing or too large.

        The caller must check that the repository links the blob.

        :param place: the place of the blob.
        :param limit: the maximum size in bytes; a larger blob is not read.
        """
        try:
            if (self._storage.size(place) or 0) > limit:
                return None
            with self._storage.open(place) as file:
                return b"".join(iter(lambda: file.read(limit), b""))
        except FileNotFoundError:
            return None

    def config_of(
        self, repository_id: int, fields: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Return the config of a manifest, as :meth:`read` does.

        :param repository_id: the repository of the manifest.
        :param fields: the manifest.
        """
        digest = text(mapping(fields.get("config")).get("digest"))
        # A manifest may name a blob that only another repository links.
        linked = self._catalog.manifest_relations.linked(repository_id, [digest])
        return self.read(linked[digest], LARGE_CONFIG) if digest in linked else {}


def as_object(content: bytes | None) -> dict[str, t.Any]:
    """Return the JSON object of a stored manifest; empty if there is none.

    Its strings may contain lone surrogates, which JSON allows and UTF-8 does not.
    :func:`text` and the functions that use it replace them. A replacement of all would
    cost more than the parser.
    """
    return _as_object(content or b"", read_stored_object)


def file_object(content: bytes) -> dict[str, t.Any]:
    """Return the JSON object in an attached file; empty if there is none."""
    return _as_object(content, read_file_object)


def _as_object(
    content: bytes, read: Callable[[bytes], dict[str, t.Any]]
) -> dict[str, t.Any]:
    try:
        return read(content)
    except ManifestInvalid:
        return {}


def text(value: object) -> str:
    """Return a value if it is a string, else an empty string."""
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def texts(value: object) -> list[str]:
    """Return the first strings of a list; empty if the value is not a list."""
    shown = value[:MAX_SHOWN] if isinstance(value, list) else []
    return [text(v) for v in shown if isinstance(v, str)]


def keys(value: object) -> list[str]:
    """Return the first keys of an object, sorted; empty if it is not an object."""
    return sorted(text(key) for key in islice(mapping(value), MAX_SHOWN))


def objects(value: object, most: int | None = MAX_SHOWN) -> list[dict[str, t.Any]]:
    """Return the first objects of a list; empty if the value is not a list.

    :param most: the number of entries to consider; None considers all.
    """
    shown = value[:most] if isinstance(value, list) else []
    return [v for v in shown if isinstance(v, dict)]


def excess(value: object) -> int:
    """Return the number of entries of a list that :func:`objects` leaves out."""
    return max(len(value) - MAX_SHOWN, 0) if isinstance(value, list) else 0


def mapping(value: object) -> dict[str, t.Any]:
    """Return a value if it is an object, else an empty object."""
    return value if isinstance(value, dict) else {}


def pairs(value: object) -> Pairs:
    """Return the first string properties of an object, sorted by key."""
    shown = islice(mapping(value).items(), MAX_SHOWN)
    return sorted((text(k), text(v)) for k, v in shown if isinstance(v, str))


def platform(value: object) -> str:
    """Return a platform such as ``linux/amd64``, truncated if it is too long."""
    return text(written_platform(value))[:64]


def children(content: bytes | None) -> list[Descriptor]:
    """Return the first descriptors of a stored index."""
    return descriptors(objects(as_object(content).get("manifests")))


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor of a manifest."""

    media_type: str
    digest: str
    size: int
    platform: str
    annotations: dict[str, t.Any]

    @property
    def is_attestation(self) -> bool:
        """Whether it describes an attestation that BuildKit adds to an index."""
        kind = text(self.annotations.get("vnd.docker.reference.type"))
        return kind == "attestation-manifest"

    @property
    def title(self) -> str:
        """The name of the file, from its annotation; empty if there is none."""
        return text(self.annotations.get("org.opencontainers.image.title"))

    @property
    def describes(self) -> str:
        """The digest of the image that an attestation is about; empty if it is none."""
        return text(self.annotations.get("vnd.docker.reference.digest"))


def descriptors(values: Iterable[t.Any]) -> list[Descriptor]:
    """Return the descriptors of a manifest, which were validated during the push."""
    return [
        Descriptor(
            media_type=text(value.get("mediaType")),
            digest=text(value.get("digest")),
            size=value["size"],
            platform=platform(value.get("platform")),
            annotations=mapping(value.get("annotations")),
        )
        for value in values
    ]
