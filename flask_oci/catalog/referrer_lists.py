"""Lists of referrers that clients keep as an index under a tag (spec.md, "Referrers Tag
Schema").

Each change of such a list is a new index. The former one loses its tag, and would
otherwise protect its entries from deletion.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from ..spec.digest import Digest
from .database import Database
from .database import newest


def stale(
    database: Database, repository_id: int, referrer: Digest
) -> dict[int, tuple[str, str]]:
    """Return the stale lists that contain a referrer, within a transaction.

    A stale list is an index without a tag, without a subject and without an index that
    contains it, whose stored children all have the subject of the referrer.

    :return: the digest and the media type of each, by its key.
    """
    models = database.models
    Listed, Reference, Tag = models.Manifest, models.ManifestReference, models.Tag
    List, Child = aliased(models.Manifest), aliased(models.Manifest)
    Entry, Above = aliased(Reference), aliased(Reference)
    Parent = aliased(models.Manifest)
    has_other_children = sa.exists().where(
        Entry.manifest_id == List.id,
        Entry.digest == Child.digest,
        Child.repository_id == repository_id,
        sa.or_(
            Child.subject_digest.is_(None),
            Child.subject_digest != Listed.subject_digest,
        ),
    )
    has_parent = sa.exists().where(
        Above.digest == List.digest,
        Above.kind == "child",
        Above.manifest_id == Parent.id,
        Parent.repository_id == repository_id,
    )
    statement = (
        sa.select(List.id, List.digest, List.media_type)
        .join(Reference, Reference.manifest_id == List.id)
        .join(Listed, Listed.digest == Reference.digest)
        .where(
            Listed.repository_id == repository_id,
            Listed.digest == str(referrer),
            Listed.subject_digest.is_not(None),
            Reference.kind == "child",
            List.repository_id == repository_id,
            List.subject_digest.is_(None),
            ~sa.exists().where(Tag.manifest_id == List.id),
            ~has_other_children,
            ~has_parent,
        )
    )
    rows = database.session.execute(newest(statement))
    return {key: (digest, media_type) for key, digest, media_type in rows}
