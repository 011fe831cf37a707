"""Pulling from upstreams: content that is fetched while a client asks for it."""

from __future__ import annotations

import typing as t

from flask import request

from ..catalog import StoredManifest
from ..clock import utcnow
from ..http.responses import Response
from ..services import services
from ..spec.digest import Digest
from . import content_response

if t.TYPE_CHECKING:
    from ..catalog import RepositoryInfo
    from ..config.upstreams import Upstream
    from ..upstreams.cache import UpstreamCache


def upstream_of(repository: RepositoryInfo) -> Upstream | None:
    """Return the upstream of a repository, which need not exist, or None."""
    found = services().upstreams
    return None if found is None else found.of(repository)


def update_tag(
    upstream: Upstream, repository: RepositoryInfo, wanted: Digest | str
) -> RepositoryInfo:
    """Bring a tag up to date with its upstream. A digest needs no update.

    :return: the repository, which the first fetch creates.
    :raises RegistryError: if the content is not cached and cannot be fetched.
    """
    if isinstance(wanted, Digest):
        return repository
    return _cache().tags.update(upstream, repository, wanted)


def find_named(
    upstream: Upstream, repository: RepositoryInfo, wanted: Digest, *, content: bool
) -> StoredManifest | None:
    """Return a manifest that a cached manifest refers to, or None.

    :param content: whether to fetch its bytes. Without them, the cached manifest
        describes it.
    :raises Denied: if it is blocked.
    """
    services().blocks.check(repository, str(wanted))
    named_manifests, key = _cache().named, repository.key
    if content:
        if not named_manifests.fetch(upstream, repository, wanted):
            return None
        return services().catalog.manifests.find(key, wanted)
    named = named_manifests.find(upstream, repository, wanted)
    if named is None or named.kind != "child":
        return None
    return StoredManifest(
        str(wanted), named.media_type, named.size, None, key, utcnow(), ()
    )


def blob(upstream: Upstream, repository: RepositoryInfo, digest: Digest) -> Response:
    """Return a response with a blob that a cached manifest refers to.

    A HEAD is answered as the manifest describes the blob.

    :raises BlobUnknown: if no cached manifest refers to it.
    :raises Denied: if it is blocked.
    :raises RegistryError: if the upstream fails.
    """
    services().blocks.check(repository, str(digest))
    cache = _cache()
    wanted = cache.wanted_blob(upstream, repository, digest)
    if request.method == "HEAD":
        return content_response.blob_head(digest, wanted.size)
    return content_response.fetched_blob(
        digest, wanted.size, lambda start, stop: cache.stream(wanted, start, stop)
    )


def referrers(
    upstream: Upstream,
    repository: RepositoryInfo,
    subject: Digest,
    types: list[str],
    limit: int,
    last: str | None,
) -> tuple[list[dict[str, t.Any]], bool]:
    """Return descriptors of the referrers of a cached manifest, ordered by digest.

    :param types: the artifact types to list; an empty list selects all.
    :param limit: the maximum number of results.
    :param last: the digest after which the page begins.
    :return: the descriptors, and whether more follow.
    """
    listed = _cache().referrers.list(upstream, repository, subject)
    found = sorted(
        (
            entry
            for entry in listed
            if (not types or entry.get("artifactType") in types)
            and (last is None or entry["digest"] > last)
        ),
        key=lambda entry: str(entry["digest"]),
    )
    return found[:limit], len(found) > limit


def _cache() -> UpstreamCache:
    return t.cast("UpstreamCache", services().upstreams)
