"""The details of one manifest, as JSON values."""

from __future__ import annotations

import typing as t

from ..catalog import RepositoryInfo
from ..catalog.manifest_relations import WEIGHTLESS
from ..core import artifact_types
from ..core import documents
from ..core.summaries import kind_of
from ..errors import ManifestUnknown
from ..services import services
from ..spec.digest import Digest
from ..spec.manifest import INDEX_TYPES
from ..spec.reference import parse_reference

if t.TYPE_CHECKING:
    from ..catalog.repository_contents import ManifestRow

Fields = dict[str, t.Any]


def details(repository: RepositoryInfo, reference: str) -> Fields:
    """Return the properties of a manifest, its content and its referrers.

    :param reference: a tag or a digest.
    :raises ManifestUnknown: if the repository has no such tag or manifest.
    """
    key, catalog = repository.key, services().catalog
    row = _find(key, reference)
    fields = documents.as_object(row.content)
    weight = catalog.manifest_relations.weights(key, [row.id]).get(row.id, WEIGHTLESS)
    is_index = row.media_type in INDEX_TYPES
    return {
        "repository": repository.name,
        "digest": row.digest,
        "tags": catalog.repository_contents.tag_names(key, [row.digest]).get(
            row.digest, []
        ),
        "kind": kind_of(row, weight).label,
        "media_type": row.media_type,
        "artifact_type": row.artifact_type or None,
        "size": row.size,
        "bytes": weight.bytes,
        "smallest_pull": weight.pull.smallest,
        "largest_pull": weight.pull.largest,
        "pushed": row.pushed_at,
        "pushed_by": catalog.users.names([row.pushed_by_id]).get(row.pushed_by_id),
        "subject": row.subject,
        "annotations": row.annotations,
        "indexes": catalog.manifest_relations.parents(key, row.digest),
        "platforms": _platforms(key, fields) if is_index else [],
        "config": None if is_index else services().documents.config_of(key, fields),
        "layers": [] if is_index else _layers(fields),
        "referrers": _referrers(key, row.digest),
    }


def _find(key: int, reference: str) -> ManifestRow:
    contents = services().catalog.repository_contents
    parsed = parse_reference(reference)
    if isinstance(parsed, Digest):
        row = contents.manifests(key, [reference], whole=True).get(reference)
    else:
        tagged = contents.tagged(key, parsed)
        row = tagged.manifest if tagged else None
    if row is None:
        raise ManifestUnknown(
            f"There is no such tag or manifest: {reference}. 'flask oci tags' lists"
            " the existing ones."
        )
    return row


def _platforms(key: int, fields: Fields) -> list[Fields]:
    children = documents.descriptors(documents.objects(fields.get("manifests"), None))
    stored = services().catalog.repository_contents.manifests(
        key, [child.digest for child in children]
    )
    weights = services().catalog.manifest_relations.weights(
        key, [m.id for m in stored.values()]
    )
    found = []
    for child in children:
        row = stored.get(child.digest)
        weight = weights.get(row.id) if row else None
        found.append(
            {
                "platform": child.platform or None,
                "digest": child.digest,
                "media_type": child.media_type,
                "bytes": weight.bytes if weight else 0,
                "attestation": child.is_attestation,
                "here": row is not None,
            }
        )
    return found


def _layers(fields: Fields) -> list[Fields]:
    return [
        {
            "digest": layer.digest,
            "media_type": layer.media_type,
            "size": layer.size,
            "title": layer.title or None,
        }
        for layer in documents.descriptors(
            documents.objects(fields.get("layers"), None)
        )
    ]


def _referrers(key: int, digest: str) -> list[Fields]:
    found = (
        services().catalog.manifest_relations.referrers(key, [digest]).get(digest, [])
    )
    return [
        {
            "digest": row.digest,
            "kind": artifact_types.recognise(row.media_type, row.artifact_type).label,
            "artifact_type": row.artifact_type or None,
            "size": row.size,
            "pushed": row.pushed_at,
        }
        for row in found
    ]
