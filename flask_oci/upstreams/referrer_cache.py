"""Cached lists of referrers: signatures, attestations and SBOMs of cached images."""

from __future__ import annotations

import typing as t

from ..catalog.models import PRESENT
from ..config.upstreams import Upstream
from ..spec.json_object import read_object
from ..transfer.base import fallback_tag
from .failures import MISSING
from .failures import REFUSED
from .failures import UpstreamFailed
from .fetching import Fetching

if t.TYPE_CHECKING:
    from ..catalog import RepositoryInfo
    from ..catalog.upstream_records import UpstreamCheck
    from ..spec.digest import Digest


class ReferrerCache:
    """Fetches the lists of referrers of cached manifests."""

    def __init__(self, fetching: Fetching) -> None:
        self._fetching = fetching
        self._activity = fetching.activity
        self._catalog = fetching.catalog
        self._flights = fetching.flights

    def list(
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
            found = self._fetching.client_of(upstream).referrers(
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
            self._fetching.put(repository, found, tag=tag, reference=str(subject))
        self._activity.answered(upstream.namespace)

    def _is_known(self, repository: RepositoryInfo, subject: Digest) -> bool:
        key = repository.key
        if self._catalog.manifests.find(key, subject, content=False) is not None:
            return True
        return self._catalog.upstreams.named(key, str(subject)) is not None
