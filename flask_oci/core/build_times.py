"""The times at which images were built (image-spec, annotations.md and config.md)."""

from __future__ import annotations

import typing as t
from datetime import datetime

from ..spec.digest import Digest
from ..spec.digest import is_digest
from ..spec.rfc3339 import parse_time
from . import documents

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from .documents import Documents

_CREATED: t.Final = "org.opencontainers.image.created"

#: The largest depth of nested indexes.
_MAX_DEPTH: t.Final = 8


class BuildTimes:
    """Reads the build times of a repository's images, each once.

    :param repository_id: the key of the repository.
    :param documents: reads the configs of images.
    """

    def __init__(
        self, catalog: Catalog, documents: Documents, repository_id: int
    ) -> None:
        self._catalog = catalog
        self._documents = documents
        self._repository_id = repository_id
        self._known: dict[str, datetime | None] = {}

    def of(self, digest: str) -> datetime | None:
        """Return the time in the annotations or the config of an image, or of the first
        image of an index; None if there is none.

        :param digest: the digest of the manifest.
        """
        if digest not in self._known:
            self._known[digest] = self._read(digest, 0)
        return self._known[digest]

    def _read(self, digest: str, depth: int) -> datetime | None:
        stored = None
        if is_digest(digest) and depth <= _MAX_DEPTH:
            stored = self._catalog.manifests.find(
                self._repository_id, Digest.parse(digest)
            )
        if stored is None:
            return None
        fields = documents.as_object(stored.content)
        annotations = documents.mapping(fields.get("annotations"))
        if _CREATED in annotations:
            return parse_time(annotations[_CREATED])
        for child in documents.objects(fields.get("manifests"))[:1]:
            return self._read(documents.text(child.get("digest")), depth + 1)
        config = self._documents.config_of(self._repository_id, fields)
        return parse_time(config.get("created"))
