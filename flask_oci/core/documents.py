"""JSON that somebody pushed, read with bounds and believed in nothing."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..errors import ManifestInvalid
from ..spec.digest import Digest
from ..spec.manifest import read_object
from ..spec.manifest import written_platform

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ..catalog import Catalog
    from ..storage import Storage

#: How many bytes a config may have that a list looks into, once for each entry.
SMALL_CONFIG: t.Final = 64 * 1024

#: How many bytes a config may have that a page of its own shows.
LARGE_CONFIG: t.Final = 2 * 1024 * 1024

#: How many entries of a list, or an object, are shown.
MOST: t.Final = 500

Pairs = list[tuple[str, str]]


class Documents:
    """Reads JSON documents that clients pushed as blobs.

    :param catalog: the repositories that link the blobs.
    :param storage: the bytes of the blobs.
    """

    def __init__(self, catalog: Catalog, storage: Storage) -> None:
        self._catalog = catalog
        self._storage = storage

    def read(self, digest: str, limit: int) -> dict[str, t.Any]:
        """Return the JSON object in a blob, or an empty one if there is none.

        The caller has checked that the repository links the blob.

        :param digest: the blob's.
        :param limit: in bytes; a larger blob is not read.
        """
        parsed = Digest.parse(digest)
        try:
            if (self._storage.size(parsed) or 0) > limit:
                return {}
            with self._storage.open(parsed) as file:
                content = b"".join(iter(lambda: file.read(limit), b""))
        except FileNotFoundError:
            return {}
        return as_object(content)

    def config_of(
        self, repository_id: int, fields: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Return the config of a manifest, as :meth:`read` does.

        :param repository_id: the repository of the manifest.
        :param fields: the manifest.
        """
        digest = text(mapping(fields.get("config")).get("digest"))
        # A manifest may name a blob that only another repository links.
        if digest not in self._catalog.manifest_relations.linked(
            repository_id, [digest]
        ):
            return {}
        return self.read(digest, LARGE_CONFIG)


def as_object(content: bytes | None) -> dict[str, t.Any]:
    """Return the JSON object that some bytes are, or one with nothing in it."""
    try:
        return t.cast("dict[str, t.Any]", _whole(read_object(content or b"")))
    except ManifestInvalid:
        return {}


def _whole(value: t.Any) -> t.Any:
    """Replace halves of characters, which JSON can have and a page cannot."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_whole(k): _whole(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_whole(v) for v in value]
    return value


def text(value: object) -> str:
    """Return a value if it is a text, and nothing otherwise."""
    return value if isinstance(value, str) else ""


def texts(value: object) -> list[str]:
    """Return what of a list is text."""
    return (
        [v for v in value[:MOST] if isinstance(v, str)]
        if isinstance(value, list)
        else []
    )


def objects(value: object) -> list[dict[str, t.Any]]:
    """Return what of a list is an object."""
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def mapping(value: object) -> dict[str, t.Any]:
    """Return a value if it is an object, and an empty one otherwise."""
    return value if isinstance(value, dict) else {}


def pairs(value: object) -> Pairs:
    """Return the keys and texts of an object, in the order of the keys."""
    found = ((k, v) for k, v in mapping(value).items() if isinstance(v, str))
    return sorted(found)[:MOST]


def platform(value: object) -> str:
    """Write a platform as clients do, if it is as short as one."""
    return written_platform(value)[:64]


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One descriptor of a manifest, as a page shows it."""

    media_type: str
    digest: str
    size: int
    platform: str
    annotations: dict[str, str]

    @property
    def is_attestation(self) -> bool:
        """Whether it says what it is that BuildKit puts beside an image."""
        kind = self.annotations.get("vnd.docker.reference.type")
        return kind == "attestation-manifest"

    @property
    def title(self) -> str:
        """The name of the file that it is, if it says that it is one."""
        return self.annotations.get("org.opencontainers.image.title", "")


def descriptors(values: Iterable[t.Any]) -> list[Descriptor]:
    """Read descriptors of a manifest; whoever pushed it was told if they were none."""
    return [
        Descriptor(
            media_type=text(value.get("mediaType")),
            digest=text(value.get("digest")),
            size=value["size"],
            platform=platform(value.get("platform")),
            annotations=dict(pairs(value.get("annotations"))),
        )
        for value in values
    ]
