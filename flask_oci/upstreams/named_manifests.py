"""Manifests that cached manifests refer to."""

from __future__ import annotations

import typing as t

from ..config.upstreams import Upstream
from ..errors import Denied
from ..errors import Unavailable
from ..spec.json_object import read_object
from ..spec.manifest import written_platform
from .activity import MISS
from .failures import UpstreamFailed
from .fetching import Fetching

if t.TYPE_CHECKING:
    from ..catalog import RepositoryInfo
    from ..catalog.upstream_records import NamedContent
    from ..spec.digest import Digest
    from .client import RemoteManifest

#: The number of indexes in which the platform of a manifest is looked up.
MAX_PARENTS: t.Final = 20


class NamedManifests:
    """Fetches manifests by their digests, if cached manifests refer to them."""

    def __init__(self, fetching: Fetching) -> None:
        self._fetching = fetching
        self._activity = fetching.activity
        self._catalog = fetching.catalog
        self._flights = fetching.flights

    def fetch(
        self, upstream: Upstream, repository: RepositoryInfo, digest: Digest
    ) -> bool:
        """Fetch a manifest that a cached manifest of the repository refers to.

        :return: False if no cached manifest does, or the upstream has no such manifest.
        :raises Denied: if it is an image for a platform that is not allowed.
        :raises RegistryError: if the upstream fails.
        """
        named = self.find(upstream, repository, digest)
        if named is None:
            return False
        self._catalog.release()
        wait = 3 * upstream.timeout.total_seconds()
        with self._flights.lead(repository.name, str(digest), wait) as is_leader:
            key, catalog = repository.key, self._catalog
            if catalog.manifests.find(key, digest, content=False) is not None:
                return True
            if not is_leader:
                raise Unavailable
            catalog.release()
            found = self._fetch(upstream, repository, digest)
            if found is None:
                return False
            self._fetching.put(repository, found)
            return True

    def find(
        self, upstream: Upstream, repository: RepositoryInfo, digest: Digest
    ) -> NamedContent | None:
        """Return the description of content that a cached manifest refers to, or None.

        :raises Denied: if it is an image for a platform that is not allowed.
        """
        named = self._catalog.upstreams.named(repository.key, str(digest))
        if named is not None and named.kind == "child":
            self._check_platform(upstream, repository, digest)
        return named

    def _check_platform(
        self, upstream: Upstream, repository: RepositoryInfo, digest: Digest
    ) -> None:
        if not upstream.platforms:
            return
        parents = self._catalog.upstreams.parents(
            repository.key, str(digest), MAX_PARENTS
        )
        platforms = [each for parent in parents for each in _platforms(parent, digest)]
        if not any(map(upstream.allows_platform, platforms)):
            raise Denied(
                f"The registry does not fetch images for {', '.join(platforms)} from"
                f" {upstream.host}. Its operator can add the platform to 'platforms' of"
                f" {upstream.namespace!r} in OCI_UPSTREAMS.",
                detail=str(digest),
            )

    def _fetch(
        self, upstream: Upstream, repository: RepositoryInfo, digest: Digest
    ) -> RemoteManifest | None:
        remote = upstream.remote_name(repository.name)
        try:
            found = self._fetching.client_of(upstream).manifest(remote, digest)
        except UpstreamFailed as failure:
            self._activity.failed(upstream.namespace, failure)
            raise failure.as_error(upstream.host) from failure
        self._activity.count(upstream.namespace, MISS)
        self._activity.answered(upstream.namespace)
        return found


def _platforms(content: bytes, digest: Digest) -> list[str]:
    """Return the platforms that an index gives a manifest."""
    entries = read_object(content).get("manifests") or []
    return [
        written_platform(entry.get("platform"))
        for entry in entries
        if isinstance(entry, dict) and entry.get("digest") == str(digest)
    ]
