"""Shared parts of the caches of manifests: the client, leases, and the catalog."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass

from .activity import Activity
from .single_flight import SingleFlight

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..config.upstreams import Upstream
    from ..core.manifest_traits import TraitReader
    from .client import RemoteManifest
    from .client import UpstreamClient


@dataclass(frozen=True)
class Fetching:
    """Fetches and records manifests of upstreams."""

    catalog: Catalog
    client_of: Callable[[Upstream], UpstreamClient]
    """Returns the client of an upstream."""

    activity: Activity
    flights: SingleFlight
    traits: TraitReader
    """Reads the kind of a manifest."""

    def put(
        self,
        repository: RepositoryInfo,
        found: RemoteManifest,
        *,
        tag: str | None = None,
        reference: str | None = None,
    ) -> RepositoryInfo:
        """Record a fetched manifest, its tag, and the check of its upstream.

        :param tag: the tag to move to it.
        :param reference: the reference that was checked; None records no check.
        :return: the repository, with its key.
        """
        return self.catalog.cached_content.put(
            repository,
            found.manifest,
            found.content,
            found.digest,
            tag=tag,
            reference=reference,
            traits=self.traits.of(found.manifest),
        )
