"""Pulling manifests and blobs (spec.md, "Pull")."""

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
from ..http.warnings import warn
from ..rules.blocks import check_bans
from ..services import principal
from ..services import services
from ..spec.digest import Digest
from ..spec.reference import parse_reference
from . import cached
from . import content_response

if t.TYPE_CHECKING:
    from ..catalog import RepositoryInfo
    from ..catalog import StoredManifest
    from ..storage import Place


def manifest(name: str, reference: str) -> Response:
    """end-3: ``GET`` and ``HEAD /v2/<name>/manifests/<tag-or-digest>``, 200.

    The response has the bytes and the media type that were pushed, whatever types the
    client accepts.

    :raises ManifestUnknown: if there is no such manifest.
    :raises NameUnknown: if nothing has been pushed to the repository.
    :raises Denied: if the manifest is blocked, or if a policy or the host does not
        admit the pull.
    """
    repository = admit(name, "pull")
    wanted, is_head = parse_reference(reference), request.method == "HEAD"
    catalog = services().catalog
    if (upstream := cached.upstream_of(repository)) is not None:
        repository = cached.update_tag(upstream, repository, wanted)
    stored = catalog.manifests.find(repository.key, wanted, content=not is_head)
    if stored is None and upstream is not None and isinstance(wanted, Digest):
        # The host decides on the bytes.
        needs_content = not is_head or services().hooks.admit_pull is not None
        stored = cached.find_named(upstream, repository, wanted, content=needs_content)
    if stored is None or (is_head and not _renew_lease(stored, wanted)):
        raise ManifestUnknown(detail=reference)
    check_bans(stored.bans, repository.id, repository.name)
    tag = None if isinstance(wanted, Digest) else wanted
    caller = principal().caller
    for verdict in services().admission.check_pull(caller, repository, stored, tag):
        warn(f"{verdict.rule} ({verdict.scope}): {verdict.reason}.")
    response = content_response.manifest(stored, immutable=isinstance(wanted, Digest))
    if not is_head:
        _count_pull(stored, response, pulls=1)
        event = _pull_event(repository, stored, wanted)
        catalog.record_if_observed(event, soft=True)
    elif not _may_push(name):
        _count_pull(stored, response, pulls=0)
    return response


def blob(name: str, digest: str) -> Response:
    """end-2: ``GET`` and ``HEAD /v2/<name>/blobs/<digest>``, 200, 206 or 304.

    :raises BlobUnknown: if the repository does not link the blob.
    :raises Denied: if the blob is blocked.
    """
    repository = admit(name, "pull")
    wanted = Digest.parse(digest)
    if repository.id is None:
        raise BlobUnknown(detail=digest)
    parts = services()
    found = parts.catalog.blobs.find(repository.id, wanted)
    if found is None or not is_stored(found.place):
        if (upstream := cached.upstream_of(repository)) is not None:
            return cached.blob(upstream, repository, wanted)
        raise BlobUnknown(detail=digest)
    check_bans(found.bans, repository.id, repository.name)
    if request.method == "HEAD" and not parts.catalog.blobs.lease(
        # A client that asks whether the blob exists relies on it afterwards.
        found,
        parts.config.lease_freshness,
    ):
        raise BlobUnknown(detail=digest)
    return content_response.blob(found.place, repository.name)


def is_stored(place: Place) -> bool:
    """Return True if the storage has a blob that the catalog has a row of.

    A blob without its bytes counts as absent, so that a client pushes it again and
    thereby repairs it.
    """
    found = services().storage.size(place)
    if found != place.size:
        current_app.logger.error(
            "The blob %s should have %d bytes and has %s. Push it again, or run"
            " 'flask oci fsck'.",
            place.digest,
            place.size,
            "none" if found is None else found,
        )
    return found == place.size


def _count_pull(stored: StoredManifest, response: Response, *, pulls: int) -> None:
    """Count a pull, or a use. The response neither waits for that nor depends on it.

    A client that already has an image sends only HEAD: docker at a second pull, and
    containerd before each container. Such a use keeps the image from retention rules,
    but is not a pull.

    :param pulls: 1 for a pull, 0 for a use.
    """
    counter = services().pulls
    if not counter.count(stored.repository_id, stored.digest, pulls=pulls):
        return
    counter.write_after(current_app, response)


def _may_push(name: str) -> bool:
    """Return True if the token is for pushing. With such a token, a HEAD prepares a
    push or compares two registries, and is not a use of the image."""
    claims = principal().claims
    return claims is not None and any(
        scope.name == name and "push" in scope.actions for scope in claims.access
    )


def _renew_lease(stored: StoredManifest, wanted: Digest | str) -> bool:
    """Return True if a client that asks for a manifest may rely on it for the grace
    period. A tag keeps its manifest anyway."""
    if not isinstance(wanted, Digest):
        return True
    parts = services()
    return parts.catalog.manifests.lease(stored, parts.config.lease_freshness)


def _pull_event(
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
