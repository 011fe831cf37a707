"""Pushed JSON documents, read with limits and without trust in their structure."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..errors import ManifestInvalid
from ..spec.digest import Digest
from ..spec.json_object import read_object
from ..spec.manifest import written_platform

if t.TYPE_CHECKING:
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

    def read(self, digest: str, limit: int) -> dict[str, t.Any]:
        """Return the JSON object in a blob; empty if there is none.

        The caller must check that the repository links the blob.

        :param digest: the digest of the blob.
        :param limit: the maximum size in bytes; a larger blob is not read.
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
    """Return the JSON object in some bytes; empty if they are not one."""
    try:
        return t.cast("dict[str, t.Any]", _replaced(read_object(content or b"")))
    except ManifestInvalid:
        return {}


def _replaced(value: t.Any) -> t.Any:
    """Replace lone surrogates, which JSON can contain but UTF-8 cannot."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_replaced(k): _replaced(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_replaced(v) for v in value]
    return value


def text(value: object) -> str:
    """Return a value if it is a string, else an empty string."""
    return value if isinstance(value, str) else ""


def texts(value: object) -> list[str]:
    """Return the strings of a list; empty if the value is not a list."""
    return (
        [v for v in value[:MAX_SHOWN] if isinstance(v, str)]
        if isinstance(value, list)
        else []
    )


def objects(value: object) -> list[dict[str, t.Any]]:
    """Return the objects of a list; empty if the value is not a list."""
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def mapping(value: object) -> dict[str, t.Any]:
    """Return a value if it is an object, else an empty object."""
    return value if isinstance(value, dict) else {}


def pairs(value: object) -> Pairs:
    """Return the string properties of an object, sorted by key."""
    found = ((k, v) for k, v in mapping(value).items() if isinstance(v, str))
    return sorted(found)[:MAX_SHOWN]


def platform(value: object) -> str:
    """Return a platform such as ``linux/amd64``, truncated if it is too long."""
    return written_platform(value)[:64]


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor of a manifest."""

    media_type: str
    digest: str
    size: int
    platform: str
    annotations: dict[str, str]

    @property
    def is_attestation(self) -> bool:
        """Whether it describes an attestation that BuildKit adds to an index."""
        kind = self.annotations.get("vnd.docker.reference.type")
        return kind == "attestation-manifest"

    @property
    def title(self) -> str:
        """The name of the file, from its annotation; empty if there is none."""
        return self.annotations.get("org.opencontainers.image.title", "")


def descriptors(values: Iterable[t.Any]) -> list[Descriptor]:
    """Return the descriptors of a manifest, which were validated during the push."""
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
