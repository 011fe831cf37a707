"""Pull (spec.md, "Pull")."""

from __future__ import annotations

import typing as t

from flask import current_app
from flask import request

from ..changes import Change
from ..changes import MANIFEST_PULLED
from ..errors import BlobUnknown
from ..errors import ManifestUnknown
from ..http.authorization import admit
from ..http.responses import Response
from ..services import services
from ..spec.digest import Digest
from ..spec.reference import parse_reference
from . import content_response
from .presence import is_stored

if t.TYPE_CHECKING:
    from ..catalog import RepositoryInfo
    from ..catalog import StoredManifest


def manifest(name: str, reference: str) -> Response:
    """end-3: ``GET`` and ``HEAD /v2/<name>/manifests/<tag-or-digest>``, 200.

    The bytes and the media type are those that were pushed, whatever types the
    client says it accepts.

    :raises ManifestUnknown: when there is no such manifest.
    :raises NameUnknown: when nothing has been pushed to the repository.
    """
    repository = admit(name, "pull")
    key, wanted = repository.key, parse_reference(reference)
    stored = services().catalog.manifests.find(
        key, wanted, content=request.method != "HEAD"
    )
    if stored is None or not _renew_lease(stored, wanted):
        raise ManifestUnknown(detail=reference)
    response = content_response.manifest(stored, immutable=isinstance(wanted, Digest))
    if request.method == "GET":
        _note(stored, response)
        services().catalog.record_if_observed(_pulled(repository, stored, wanted))
    return response


def blob(name: str, digest: str) -> Response:
    """end-2: ``GET`` and ``HEAD /v2/<name>/blobs/<digest>``, 200, 206 or 304.

    :raises BlobUnknown: when the repository links no such blob.
    """
    repository = admit(name, "pull")
    wanted = Digest.parse(digest)
    if repository.id is None:
        raise BlobUnknown(detail=digest)
    parts = services()
    found = parts.catalog.blobs.find(repository.id, wanted)
    if found is None or not is_stored(wanted, found.size):
        raise BlobUnknown(detail=digest)
    if request.method == "HEAD" and not parts.catalog.blobs.lease(
        # Whoever asks whether it is there will rely on it.
        found,
        parts.config.lease_freshness,
    ):
        raise BlobUnknown(detail=digest)
    return content_response.blob(wanted, found.size)


def _note(stored: StoredManifest, response: Response) -> None:
    """Remember a pull, which waits for nothing and depends on nothing."""
    app, pulls = t.cast(t.Any, current_app)._get_current_object(), services().pulls

    def write() -> None:
        # The client has its answer, and the request's connection has been given back.
        try:
            with app.app_context():
                pulls.write()
        except Exception:
            app.logger.warning("Pulls are written down later.", exc_info=True)

    if pulls.count(stored.repository_id, stored.digest):
        response.call_on_close(write)


def _renew_lease(stored: StoredManifest, wanted: Digest | str) -> bool:
    """Tell whether a manifest stays at least for the grace period, if the client may
    rely on it; a tag keeps what it points at anyway."""
    parts = services()
    return (
        request.method != "HEAD"
        or not isinstance(wanted, Digest)
        or parts.catalog.manifests.lease(stored, parts.config.lease_freshness)
    )


def _pulled(
    repository: RepositoryInfo, stored: StoredManifest, wanted: Digest | str
) -> Change:
    return Change(
        kind=MANIFEST_PULLED,
        repository=repository.name,
        repository_id=repository.id,
        digest=stored.digest,
        media_type=stored.media_type,
        size=stored.size,
        tag=None if isinstance(wanted, Digest) else wanted,
    )
