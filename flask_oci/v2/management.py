"""Content management (spec.md, "Content Management")."""

from __future__ import annotations

import typing as t

from ..errors import NameUnknown
from ..http.authorization import admit
from ..http.authorization import manage_check
from ..http.responses import Response
from ..services import principal
from ..services import services
from ..spec.digest import Digest
from ..spec.reference import parse_reference

if t.TYPE_CHECKING:
    from ..catalog import RepositoryInfo


def manifest(name: str, reference: str) -> Response:
    """end-9: ``DELETE /v2/<name>/manifests/<tag-or-digest>``, 202.

    Deleting a tag keeps its manifest. Deleting a digest deletes the manifest and every
    tag that points at it.

    :raises Denied: if an index in the repository needs the manifest, or a tag is
        protected from the caller.
    :raises ManifestUnknown: if there is no such tag or manifest.
    """
    repository = _admit(name)
    content = services().content
    by = content.actor(principal().caller, manage_check(name))
    content.delete(repository, parse_reference(reference), by)
    return Response(status=202)


def blob(name: str, digest: str) -> Response:
    """end-10: ``DELETE /v2/<name>/blobs/<digest>``, 202.

    The blob is deleted from this repository. Other repositories that link it keep it.

    :raises Denied: if a manifest in the repository needs the blob.
    :raises BlobUnknown: if the repository does not link the blob.
    """
    repository = _admit(name)
    content = services().content
    by = content.actor(principal().caller)
    content.delete_blob(repository, Digest.parse(digest), by)
    return Response(status=202)


def _admit(name: str) -> RepositoryInfo:
    repository = admit(name, "delete")
    if not repository.exists:
        raise NameUnknown(detail=name)
    return repository
