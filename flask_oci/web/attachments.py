"""The artifacts that are attached to an image: referrers, tags and attestations."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from ..catalog import RepositoryInfo
from ..catalog.repository_contents import ManifestRow
from ..core import artifact_types
from ..core.artifact_types import ArtifactKind
from ..core.documents import Descriptor
from ..core.signature_facts import SignatureFact
from ..core.summaries import COSIGN_SUFFIXES
from ..core.summaries import cosign_tag
from ..rules.protection import subject_of
from ..services import services

#: The maximum number of listed referrers.
MAX_REFERRERS: t.Final = 100


class Attachment(t.NamedTuple):
    """An artifact that is attached to an image."""

    kind: ArtifactKind
    reference: str
    """Its tag or digest."""

    detail: str
    """Its artifact type, or the name of its tag."""

    signature: SignatureFact | None = None
    """The result of its verification, if it is a signature that was read."""


class Attachments(t.NamedTuple):
    """The artifacts that are attached to an image."""

    shown: list[Attachment]
    left_out: int
    """The number of referrers that are not shown."""


def attachments(
    repository: RepositoryInfo,
    subjects: Sequence[str],
    attestations: Sequence[Descriptor],
) -> Attachments:
    """Return the artifacts that are attached to an image.

    :param subjects: the digests of the image, and of its selected platform.
    :param attestations: the attestations that BuildKit added to the image.
    """
    catalog, repository_id = services().catalog, repository.key
    referrers = catalog.manifest_relations.referrers(repository_id, subjects)
    attached = [r for subject in subjects for r in referrers.get(subject, ())]
    tags = {
        cosign_tag(digest, suffix): kind
        for digest in subjects
        for suffix, kind in COSIGN_SUFFIXES.items()
    }
    existing = catalog.repository_contents.existing_tags(repository_id, list(tags))
    listed = attached[:MAX_REFERRERS]
    predicates = catalog.manifest_relations.predicates([r.id for r in listed])
    shown = [_referrer(r, predicates.get(r.id, "")) for r in listed]
    shown += [
        Attachment(artifact_types.ATTESTATION, child.digest, child.media_type)
        for child in attestations
        if child.describes in subjects or not child.describes
    ]
    shown += [Attachment(tags[tag], tag, tag) for tag in sorted(existing)]
    shown = _with_signatures(repository, subjects, shown)
    count = len(attached)
    if count > MAX_REFERRERS:
        count = catalog.manifest_relations.count_referrers(repository_id, subjects)
    return Attachments(shown, max(count - MAX_REFERRERS, 0))


def signatures_in(
    repository: RepositoryInfo, row: ManifestRow, tag: str | None
) -> list[SignatureFact]:
    """Return the signatures that a manifest contains, and whether they are verified.

    :param tag: the tag of the request, or None.
    """
    subject = row.subject or subject_of(tag or "")
    if not subject:
        return []
    found = services().signatures.of(repository, [subject])
    return [each for each in found if each.digest == row.digest]


def _with_signatures(
    repository: RepositoryInfo, subjects: Sequence[str], shown: list[Attachment]
) -> list[Attachment]:
    """Add the results of the verification to signatures."""
    if not any(each.kind == artifact_types.SIGNATURE for each in shown):
        return shown
    found = services().signatures.of(repository, subjects)
    # The verified ones are the first, and take precedence.
    by_reference = {fact.tag or fact.digest: fact for fact in reversed(found)}
    return [each._replace(signature=by_reference.get(each.reference)) for each in shown]


def _referrer(row: ManifestRow, predicate_type: str) -> Attachment:
    kind = artifact_types.recognise_referrer(
        row.media_type, row.artifact_type, predicate_type
    )
    return Attachment(kind, row.digest, predicate_type or row.artifact_type)
