"""Images and other manifests."""

from __future__ import annotations

from ..catalog.manifest_relations import WEIGHTLESS
from ..catalog.repository_contents import ManifestRow
from ..catalog.repository_contents import TagRow
from ..core import artifact_types
from ..core import documents
from ..errors import ManifestUnknown
from ..services import services
from ..spec.digest import Digest
from ..spec.reference import parse_reference
from .access import actor
from .access import authorize
from .bodies import Descriptor
from .bodies import Image
from .bodies import ImageDeletion
from .bodies import Referrer


def image(name: str, reference: str) -> Image:
    """Show the image or other manifest with a tag or a digest.

    :raises DigestInvalid: if the reference contains a colon and is not a valid digest.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    :raises ManifestUnknown: if the tag or the manifest does not exist.
    """
    key = authorize(name).key
    row, relations = _find(key, reference), services().catalog.manifest_relations
    (entry,) = services().summaries.of(key, [TagRow(None, row.pushed_at, row)])
    tags = services().catalog.repository_contents.tag_names(key, [row.digest])
    referrers = relations.referrers(key, [row.digest]).get(row.digest, [])
    return Image(
        digest=row.digest,
        media_type=row.media_type,
        artifact_type=row.artifact_type or None,
        kind=entry.kind.key,
        size=row.size,
        bytes=entry.bytes,
        smallest_pull=entry.pull.smallest,
        largest_pull=entry.pull.largest,
        tags=tags.get(row.digest, []),
        platforms=entry.platforms,
        annotations=row.annotations,
        subject=row.subject,
        children=_children(key, entry.children),
        referrers=[_referrer(referrer) for referrer in referrers],
        part_of=relations.parents(key, row.digest),
        pushed_at=row.pushed_at,
        pushed_by=entry.pushed_by or None,
        pulled_at=row.pulled_at,
    )


def delete_image(name: str, digest: str, query: ImageDeletion) -> None:
    """Delete a manifest by its digest, with every tag that points at it.

    For some time, it can be restored, and its content stays until then.

    :raises DigestInvalid: if the digest is invalid.
    :raises Denied: if the caller may not delete, an index in the repository needs the
        manifest, or one of its tags is protected from the caller.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    :raises ManifestUnknown: if the manifest does not exist.
    """
    repository = authorize(name, "delete")
    services().content.delete(
        repository,
        Digest.parse(digest),
        actor(repository),
        restorable=not query.final,
    )


def _find(key: int, reference: str) -> ManifestRow:
    contents = services().catalog.repository_contents
    parsed = parse_reference(reference)
    if isinstance(parsed, Digest):
        found = contents.manifests(key, [reference], whole=True).get(reference)
    else:
        tagged = contents.tagged(key, parsed)
        found = tagged.manifest if tagged else None
    if found is None:
        raise ManifestUnknown(detail=reference)
    return found


def _children(key: int, found: list[documents.Descriptor]) -> list[Descriptor]:
    if not found:
        return []
    catalog = services().catalog
    stored = catalog.repository_contents.manifests(key, [c.digest for c in found])
    ids = {digest: row.id for digest, row in stored.items()}
    weights = catalog.manifest_relations.weights(key, list(ids.values()))
    sizes = {d: weights.get(key, WEIGHTLESS).bytes for d, key in ids.items()}
    return [
        Descriptor(
            digest=child.digest,
            media_type=child.media_type,
            size=child.size,
            platform=child.platform or None,
            bytes=sizes.get(child.digest),
        )
        for child in found
    ]


def _referrer(row: ManifestRow) -> Referrer:
    return Referrer(
        digest=row.digest,
        media_type=row.media_type,
        artifact_type=row.artifact_type or None,
        kind=artifact_types.recognise(row.media_type, row.artifact_type).key,
        size=row.size,
    )
