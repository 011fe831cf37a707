"""Cached tags, which are checked at their upstream."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..catalog.models import DELETED
from ..catalog.models import PRESENT
from ..config.upstreams import DELETE
from ..config.upstreams import Upstream
from ..errors import Denied
from ..errors import ManifestUnknown
from ..errors import Unavailable
from .activity import HIT
from .activity import MISS
from .activity import STALE
from .expiring_set import ExpiringSet
from .failures import MISSING
from .failures import REFUSED
from .failures import UpstreamFailed
from .fetching import Fetching

if t.TYPE_CHECKING:
    from ..catalog import RepositoryInfo
    from ..catalog.upstream_records import UpstreamCheck
    from ..spec.digest import Digest

#: How long a missing reference is remembered, in seconds.
MISSING_LIFETIME: t.Final = 30.0

#: How long a cached tag whose check failed is served without another check, in seconds.
FAILING_LIFETIME: t.Final = 10.0


class TagCache:
    """Checks tags at their upstreams, and fetches them when they have changed."""

    def __init__(self, fetching: Fetching) -> None:
        self._fetching = fetching
        self._activity = fetching.activity
        self._catalog = fetching.catalog
        self._flights = fetching.flights
        self._missing = ExpiringSet(MISSING_LIFETIME)
        self._failing = ExpiringSet(FAILING_LIFETIME)

    def update(
        self,
        upstream: Upstream,
        repository: RepositoryInfo,
        tag: str,
        *,
        force: bool = False,
    ) -> RepositoryInfo:
        """Bring a tag up to date, unless it is fresh.

        :param force: whether to ask the upstream about a fresh tag as well.
        :return: the repository, which the first fetch creates.
        :raises ManifestUnknown: if the upstream has no such tag.
        :raises Denied: if the upstream's settings do not allow the name.
        :raises RegistryError: if the upstream fails and the tag is not cached.
        """
        known = self._known(repository, tag)
        if known is not None and not force and known.is_younger(upstream.fresh):
            self._activity.count(upstream.namespace, HIT)
            return repository
        if not self._may_fetch(upstream, repository, known):
            return repository
        if force:
            self._missing.discard((repository.name, tag))
        elif (repository.name, tag) in self._failing and _may_be_stale(upstream, known):
            self._activity.count(upstream.namespace, STALE)
            return repository
        self._refuse_missing(repository.name, tag)
        self._catalog.release()
        wait = 0.0 if known is not None else 3 * upstream.timeout.total_seconds()
        with self._flights.lead(repository.name, tag, wait) as is_leader:
            if is_leader:
                return self._check_tag(upstream, repository, tag, known)
        return self._follow(upstream, repository, tag, known)

    def _known(self, repository: RepositoryInfo, tag: str) -> UpstreamCheck | None:
        if not repository.exists:
            return None
        return self._catalog.upstreams.tag(repository.key, tag)

    def _may_fetch(
        self,
        upstream: Upstream,
        repository: RepositoryInfo,
        known: UpstreamCheck | None,
    ) -> bool:
        """Return False if only what is cached may be served."""
        remote = upstream.remote_name(repository.name)
        if upstream.allows(remote):
            return True
        if known is not None:
            return False
        raise Denied(
            f"The registry does not fetch {remote} from {upstream.host}. Its operator"
            f" can add the name to 'allow' of {upstream.namespace!r} in OCI_UPSTREAMS.",
            detail=repository.name,
        )

    def _follow(
        self,
        upstream: Upstream,
        repository: RepositoryInfo,
        tag: str,
        known: UpstreamCheck | None,
    ) -> RepositoryInfo:
        """Return the repository after another request has checked the tag, or while it
        does."""
        if known is not None:
            self._activity.count(upstream.namespace, STALE)
            return repository
        self._refuse_missing(repository.name, tag)
        found = self._catalog.repositories.find(repository.name)
        if self._known(found, tag) is None:
            raise Unavailable
        self._activity.count(upstream.namespace, HIT)
        return found

    def _check_tag(
        self,
        upstream: Upstream,
        repository: RepositoryInfo,
        tag: str,
        known: UpstreamCheck | None,
    ) -> RepositoryInfo:
        # Another process may have checked it while this one waited for its turn.
        repository = self._catalog.repositories.find(repository.name)
        if repository.upstream is None and not repository.exists:
            repository = _with_upstream(repository, upstream)
        latest = self._known(repository, tag)
        if latest is not None and (known is None or latest != known):
            return repository
        self._catalog.release()
        try:
            return self._ask(upstream, repository, tag, known)
        except UpstreamFailed as failure:
            self._activity.failed(upstream.namespace, failure)
            return self._serve_stale(upstream, repository, tag, known, failure)

    def _ask(
        self,
        upstream: Upstream,
        repository: RepositoryInfo,
        tag: str,
        known: UpstreamCheck | None,
    ) -> RepositoryInfo:
        client = self._fetching.client_of(upstream)
        remote = upstream.remote_name(repository.name)
        digest = client.head(remote, tag)
        if digest is None:
            self._activity.answered(upstream.namespace)
            return self._lose(upstream, repository, tag, known)
        if known is not None and self._has(repository, tag, digest):
            self._catalog.upstreams.touch(repository.key, tag, PRESENT)
            self._activity.count(upstream.namespace, HIT)
        else:
            self._activity.count(upstream.namespace, MISS)
            self._catalog.release()
            found = client.manifest(remote, digest)
            if found is None:
                raise UpstreamFailed(MISSING, f"{upstream.host} has no {digest}.")
            repository = self._fetching.put(repository, found, tag=tag, reference=tag)
        self._activity.answered(upstream.namespace)
        return repository

    def _has(self, repository: RepositoryInfo, tag: str, digest: Digest) -> bool:
        found = self._catalog.manifests.find(repository.key, tag, content=False)
        return found is not None and found.digest == str(digest)

    def _lose(
        self,
        upstream: Upstream,
        repository: RepositoryInfo,
        tag: str,
        known: UpstreamCheck | None,
    ) -> RepositoryInfo:
        """Apply the setting for a tag that the upstream does not have."""
        if known is not None and upstream.on_deleted != DELETE:
            self._catalog.upstreams.touch(repository.key, tag, DELETED)
            return repository
        if known is not None:
            self._catalog.cached_content.delete_tag(repository, tag)
        self._missing.add((repository.name, tag))
        raise ManifestUnknown(detail=tag)

    def _serve_stale(
        self,
        upstream: Upstream,
        repository: RepositoryInfo,
        tag: str,
        known: UpstreamCheck | None,
        failure: UpstreamFailed,
    ) -> RepositoryInfo:
        """Return the repository if its tag may be served while the upstream fails.

        :raises RegistryError: if the tag is not cached, or too old.
        """
        if _may_be_stale(upstream, known):
            self._failing.add((repository.name, tag))
            self._activity.count(upstream.namespace, STALE)
            return repository
        if known is None and failure.kind in (MISSING, REFUSED):
            # Registries refuse requests for repositories that do not exist.
            self._missing.add((repository.name, tag))
            raise ManifestUnknown(
                f"{upstream.host} has no such image that this registry may pull.",
                detail=tag,
            )
        raise failure.as_error(upstream.host)

    def _refuse_missing(self, name: str, reference: str) -> None:
        if (name, reference) in self._missing:
            raise ManifestUnknown(detail=reference)


def _may_be_stale(upstream: Upstream, known: UpstreamCheck | None) -> bool:
    """Return True if a tag is cached and may be served while the upstream fails."""
    if known is None:
        return False
    return upstream.stale is None or known.is_younger(upstream.stale)


def _with_upstream(repository: RepositoryInfo, upstream: Upstream) -> RepositoryInfo:
    return replace(repository, upstream=upstream.namespace)
