"""Cached manifests: tags that are checked at their upstream, children and referrers."""

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
from ..spec.json_object import read_object
from ..spec.manifest import written_platform
from ..transfer.base import fallback_tag
from .activity import Activity
from .activity import HIT
from .activity import MISS
from .activity import STALE
from .expiring_set import ExpiringSet
from .failures import MISSING
from .failures import REFUSED
from .failures import UpstreamFailed
from .single_flight import SingleFlight

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..catalog.upstream_records import NamedContent
    from ..catalog.upstream_records import UpstreamCheck
    from ..core.manifest_traits import TraitReader
    from ..spec.digest import Digest
    from .client import RemoteManifest
    from .client import UpstreamClient

#: How long a missing reference is remembered, in seconds.
MISSING_LIFETIME: t.Final = 30.0

#: How long a cached tag whose check failed is served without another check, in seconds.
FAILING_LIFETIME: t.Final = 10.0

#: The number of indexes in which the platform of a manifest is looked up.
MAX_PARENTS: t.Final = 20


class ManifestCache:
    """Fetches manifests of upstreams when clients ask for them.

    :param catalog: where manifests are recorded.
    :param client_of: returns the client of an upstream.
    :param activity: counts what happens.
    :param traits: reads the kind of a manifest.
    """

    def __init__(
        self,
        catalog: Catalog,
        client_of: Callable[[Upstream], UpstreamClient],
        activity: Activity,
        traits: TraitReader,
    ) -> None:
        self._catalog = catalog
        self._client_of = client_of
        self._activity = activity
        self._traits = traits
        self._flights = SingleFlight(catalog)
        self._missing = ExpiringSet(MISSING_LIFETIME)
        self._failing = ExpiringSet(FAILING_LIFETIME)

    def update_tag(
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
        client = self._client_of(upstream)
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
            repository = self._put(repository, found, tag=tag, reference=tag)
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

    def fetch_named(
        self, upstream: Upstream, repository: RepositoryInfo, digest: Digest
    ) -> bool:
        """Fetch a manifest that a cached manifest of the repository refers to.

        :return: False if no cached manifest does, or the upstream has no such manifest.
        :raises Denied: if it is an image for a platform that is not allowed.
        :raises RegistryError: if the upstream fails.
        """
        named = self.named(upstream, repository, digest)
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
            self._put(repository, found)
            return True

    def named(
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

    def referrers(
        self, upstream: Upstream, repository: RepositoryInfo, subject: Digest
    ) -> list[dict[str, t.Any]]:
        """Return the descriptors of the referrers of a cached manifest, as the upstream
        lists them.

        The list is cached as the index with the fallback tag, so that its entries are
        content that a cached manifest refers to.

        :raises RegistryError: if the upstream fails and the list is not cached.
        """
        if not self._is_known(repository, subject):
            return []
        reference, tag = str(subject), fallback_tag(subject)
        known = self._catalog.upstreams.check(repository.key, reference)
        is_fresh = known is not None and known.is_younger(upstream.fresh)
        if not is_fresh and upstream.allows(upstream.remote_name(repository.name)):
            self._catalog.release()
            wait = 0.0 if known is not None else 3 * upstream.timeout.total_seconds()
            with self._flights.lead(repository.name, reference, wait) as is_leader:
                if is_leader and self._catalog.upstreams.check(
                    repository.key, reference
                ) in (None, known):
                    self._catalog.release()
                    self._update_referrers(upstream, repository, subject, tag, known)
        stored = self._catalog.manifests.find(repository.key, tag)
        if stored is None or stored.content is None:
            return []
        listed = read_object(stored.content).get("manifests") or []
        return [entry for entry in listed if isinstance(entry, dict)]

    def _update_referrers(
        self,
        upstream: Upstream,
        repository: RepositoryInfo,
        subject: Digest,
        tag: str,
        known: UpstreamCheck | None,
    ) -> None:
        try:
            found = self._client_of(upstream).referrers(
                upstream.remote_name(repository.name), subject
            )
        except UpstreamFailed as failure:
            self._activity.failed(upstream.namespace, failure)
            if known is None and failure.kind not in (MISSING, REFUSED):
                raise failure.as_error(upstream.host) from failure
            return
        if found is None:
            self._catalog.upstreams.touch(repository.key, str(subject), PRESENT)
        else:
            self._put(repository, found, tag=tag, reference=str(subject))
        self._activity.answered(upstream.namespace)

    def _is_known(self, repository: RepositoryInfo, subject: Digest) -> bool:
        key = repository.key
        if self._catalog.manifests.find(key, subject, content=False) is not None:
            return True
        return self._catalog.upstreams.named(key, str(subject)) is not None

    def _fetch(
        self, upstream: Upstream, repository: RepositoryInfo, digest: Digest
    ) -> RemoteManifest | None:
        remote = upstream.remote_name(repository.name)
        try:
            found = self._client_of(upstream).manifest(remote, digest)
        except UpstreamFailed as failure:
            self._activity.failed(upstream.namespace, failure)
            raise failure.as_error(upstream.host) from failure
        self._activity.count(upstream.namespace, MISS)
        self._activity.answered(upstream.namespace)
        return found

    def _put(
        self,
        repository: RepositoryInfo,
        found: RemoteManifest,
        *,
        tag: str | None = None,
        reference: str | None = None,
    ) -> RepositoryInfo:
        return self._catalog.cached_content.put(
            repository,
            found.manifest,
            found.content,
            found.digest,
            tag=tag,
            reference=reference,
            traits=self._traits.of(found.manifest),
        )

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


def _platforms(content: bytes, digest: Digest) -> list[str]:
    """Return the platforms that an index gives a manifest."""
    entries = read_object(content).get("manifests") or []
    return [
        written_platform(entry.get("platform"))
        for entry in entries
        if isinstance(entry, dict) and entry.get("digest") == str(digest)
    ]
