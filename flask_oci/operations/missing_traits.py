"""Traits of manifests that an earlier version stored without them."""

from __future__ import annotations

import typing as t

from ..catalog.manifest_traits import Traits
from ..core.documents import Documents
from ..core.manifest_traits import TraitReader
from ..errors import ManifestInvalid
from ..spec.manifest import parse

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog.manifest_traits import UnknownManifest
    from ..storage import Storage
    from .items import Items

#: The number of manifests that are read in one statement.
BATCH_SIZE: t.Final = 50


def record_missing_traits(catalog: Catalog, storage: Storage, items: Items) -> None:
    """Record the kind and the platform of each manifest that has none.

    :param items: records the manifests for which that fails.
    """
    reader = TraitReader(Documents(catalog, storage))
    after = 0
    while batch := catalog.manifest_traits.unknown(BATCH_SIZE, after):
        catalog.release()
        for found in batch:
            with items.each(f"the kind of manifest {found.id}"):
                catalog.manifest_traits.record(found, _traits(catalog, reader, found))
        after = batch[-1].id
    catalog.release()


def _traits(catalog: Catalog, reader: TraitReader, found: UnknownManifest) -> Traits:
    try:
        traits = reader.of(parse(found.content, found.media_type))
    except ManifestInvalid:
        # An earlier version accepted it.
        return Traits("")
    linked = catalog.manifest_relations.linked(found.repository_id, [traits.config])
    return traits.without({traits.config} - linked.keys())
