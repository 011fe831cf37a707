"""Deleted images: listing and restoring them, and making their deletion final."""

from __future__ import annotations

from ..errors import ManifestUnknown
from ..http.bounds import MAX_LONG_KEY
from ..services import services
from ..spec.digest import Digest
from . import paging
from .access import actor
from .access import authorize
from .bodies import DeletedImage
from .bodies import DeletedImages
from .bodies import Image
from .bodies import Paging
from .images import image


def deleted_images(name: str, query: Paging) -> DeletedImages:
    """List the deleted images that can be restored, newest deletion first.

    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    repository, size = authorize(name), paging.size(query)
    since, catalog = services().content.restorable_since(), services().catalog
    if since is None:
        return DeletedImages(items=[], next=None)
    rows = catalog.deleted_manifests.page(
        repository.key,
        since,
        size + 1,
        before=paging.number(query.next, MAX_LONG_KEY),
    )
    page, position = paging.paginate(rows, size, lambda row: row.id)
    names = catalog.users.names(row.deleted_by_id for row in page)
    items = [
        DeletedImage(
            digest=row.digest,
            tags=row.tags,
            deleted_at=row.deleted_at,
            deleted_by=names.get(row.deleted_by_id),
        )
        for row in page
    ]
    return DeletedImages(items=items, next=position)


def restore_image(name: str, digest: str) -> Image:
    """Restore a deleted image, with the tags that were deleted with it and that do not
    exist again.

    :raises Denied: if the caller may not push, or a quota has no room for the image.
    :raises DigestInvalid: if the digest is invalid.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    :raises ManifestBlobUnknown: if content that it needs was deleted.
    :raises ManifestUnknown: if the image cannot be restored.
    """
    repository, parsed = authorize(name, "push"), Digest.parse(digest)
    if not services().content.restore_manifest(repository, parsed, actor(repository)):
        raise ManifestUnknown("This image cannot be restored.", detail=digest)
    return image(name, digest)


def forget_image(name: str, digest: str) -> None:
    """Make the deletion of an image final, so that its space is freed.

    :raises Denied: if the caller may not delete.
    :raises DigestInvalid: if the digest is invalid.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    :raises ManifestUnknown: if there is no such deleted image.
    """
    repository, parsed = authorize(name, "delete"), Digest.parse(digest)
    if not services().content.forget_manifest(repository, parsed, actor(repository)):
        raise ManifestUnknown("There is no such deleted image.", detail=digest)
