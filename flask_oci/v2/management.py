"""Content management (spec.md, "Content Management")."""

from __future__ import annotations

import typing as t

from ..errors import NameUnknown
from ..http.authorization import admit
from ..http.authorization import manages
from ..http.responses import Response
from ..services import principal
from ..services import services
from ..spec.digest import Digest
from ..spec.reference import parse_reference

if t.TYPE_CHECKING:
    from ..catalog import RepositoryInfo


def manifest(name: str, reference: str) -> Response:
    """end-9: ``DELETE /v2/<name>/manifests/<tag-or-digest>``, 202.

    A tag is taken away and its manifest stays; a digest is deleted with every
    tag that points at it.

    :raises Denied: when an index in the repository needs the manifest, or a tag is
        protected from the caller.
    :raises ManifestUnknown: when there is no such tag or manifest.
    """
    repository = _admit(name)
    content = services().content
    by = content.actor(principal().user, manages(name))
    content.delete(repository, parse_reference(reference), by)
    return Response(status=202)


def blob(name: str, digest: str) -> Response:
    """end-10: ``DELETE /v2/<name>/blobs/<digest>``, 202.

    The blob is taken out of this repository. Others that link it keep it.

    :raises Denied: when a manifest in the repository needs the blob.
    :raises BlobUnknown: when the repository links no such blob.
    """
    repository = _admit(name)
    content = services().content
    by = content.actor(principal().user)
    content.delete_blob(repository, Digest.parse(digest), by)
    return Response(status=202)


def _admit(name: str) -> RepositoryInfo:
    repository = admit(name, "delete")
    if not repository.exists:
        raise NameUnknown(detail=name)
    return repository
