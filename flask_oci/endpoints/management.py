"""Content management (spec.md, "Content Management")."""

from __future__ import annotations

import typing as t

from .. import audit
from ..digest import Digest
from ..errors import BlobUnknown
from ..errors import Denied
from ..errors import ManifestUnknown
from ..errors import NameUnknown
from ..names import parse_reference
from ..services import principal
from ..services import services
from .access import admit
from .responses import Response

if t.TYPE_CHECKING:
    from ..catalog import Removal


def manifest(name: str, reference: str) -> Response:
    """end-9: ``DELETE /v2/<name>/manifests/<tag-or-digest>``, 202.

    A tag is taken away and its manifest stays; a digest is deleted with every
    tag that points at it.

    :raises Denied: when an index in the repository needs the manifest.
    :raises ManifestUnknown: when there is no such tag or manifest.
    """
    repository_id = _admit(name)
    wanted = parse_reference(reference)
    parts = services()
    by = parts.catalog.users.key_of(principal().user)
    if isinstance(wanted, Digest):
        removal = parts.catalog.manifests.delete(
            repository_id,
            wanted,
            unless_needed=not parts.config.allow_delete_in_use,
            by=by,
        )
        _refuse_if_needed(removal, reference)
        done = removal.done
    else:
        done = parts.catalog.tags.delete(repository_id, wanted, by)
    if not done:
        raise ManifestUnknown(detail=reference)
    return _deleted(name, reference)


def blob(name: str, digest: str) -> Response:
    """end-10: ``DELETE /v2/<name>/blobs/<digest>``, 202.

    The blob is taken out of this repository. Others that link it keep it.

    :raises Denied: when a manifest in the repository needs the blob.
    :raises BlobUnknown: when the repository links no such blob.
    """
    repository_id = _admit(name)
    wanted = Digest.parse(digest)
    parts = services()
    removal = parts.catalog.blobs.unlink(
        repository_id, wanted, unless_used=not parts.config.allow_delete_in_use
    )
    _refuse_if_needed(removal, digest)
    if not removal.done:
        raise BlobUnknown(detail=digest)
    return _deleted(name, digest)


def _admit(name: str) -> int:
    repository = admit(name, "delete")
    if repository.id is None:
        raise NameUnknown(detail=name)
    return repository.id


def _deleted(name: str, reference: str) -> Response:
    user = services().catalog.users.name_of(principal().user)
    audit.record("delete", user, name, reference=reference)
    return Response(status=202)


def _refuse_if_needed(removal: Removal, reference: str) -> None:
    if removal.needed_by:
        raise Denied(
            f"{reference} is needed by {', '.join(removal.needed_by)}; delete that"
            " first.",
            detail=reference,
        )
