"""The cache of all upstreams of one application: ``services().upstreams``."""

from __future__ import annotations

import threading
import typing as t

from flask import current_app

from ..config.upstreams import Upstream
from ..core.documents import Documents
from ..core.manifest_traits import TraitReader
from ..errors import BlobUnknown
from ..errors import RegistryError
from ..operations.metrics import Metrics
from ..spec.digest import Digest
from .activity import Activity
from .blob_cache import BlobCache
from .blob_streams import BlobStream
from .blob_streams import pieces
from .client import RateLimit
from .client import UpstreamClient
from .failures import UpstreamFailed
from .fetching import Fetching
from .named_manifests import NamedManifests
from .referrer_cache import ReferrerCache
from .single_flight import SingleFlight
from .tag_cache import TagCache
from .wanted_blob import WantedBlob

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..config import Config
    from ..core.content import Content
    from ..storage import Storage


class UpstreamCache:
    """Serves images of upstreams, and fetches what is not cached.

    :param config: the upstreams, and the limits of the registry.
    :param content: stores blobs.
    :param metrics: the metrics of the application, or None.
    """

    def __init__(
        self,
        config: Config,
        catalog: Catalog,
        storage: Storage,
        content: Content,
        metrics: Metrics | None,
    ) -> None:
        self._config = config
        self._catalog = catalog
        self._lock = threading.Lock()
        self._clients: dict[str, UpstreamClient] = {}
        self.activity = Activity(catalog, metrics)
        fetching = Fetching(
            catalog,
            self.client,
            self.activity,
            SingleFlight(catalog),
            TraitReader(Documents(catalog, storage)),
        )
        self.tags = TagCache(fetching)
        self.named = NamedManifests(fetching)
        self.referrers = ReferrerCache(fetching)
        self.blobs = BlobCache(
            config, catalog, storage, content, self.client, self.activity
        )

    def of(self, repository: RepositoryInfo) -> Upstream | None:
        """Return the upstream of a repository, which need not exist, or None."""
        namespace = repository.upstream
        if not repository.exists and "/" in repository.name:
            namespace = repository.namespace
        return None if namespace is None else self._config.upstreams.get(namespace)

    def client(self, upstream: Upstream) -> UpstreamClient:
        """Return the client of an upstream, which all threads share."""
        with self._lock:
            found = self._clients.get(upstream.namespace)
            if found is None:
                namespace, activity = upstream.namespace, self.activity

                def report(limit: RateLimit) -> None:
                    activity.limit(namespace, limit)

                found = self._clients[namespace] = UpstreamClient(
                    upstream, self._config.max_manifest_size, report
                )
            return found

    def wanted_blob(
        self, upstream: Upstream, repository: RepositoryInfo, digest: Digest
    ) -> WantedBlob:
        """Return a blob that a cached manifest of a repository refers to.

        :raises BlobUnknown: if no cached manifest does.
        """
        named = None
        if repository.exists and upstream.allows(upstream.remote_name(repository.name)):
            named = self._catalog.upstreams.named(repository.key, str(digest))
        if named is None:
            raise BlobUnknown(
                "No cached manifest of this repository refers to this blob; pull a tag"
                " first.",
                detail=str(digest),
            )
        return WantedBlob(upstream, repository, digest, named.size)

    def stream(
        self, wanted: WantedBlob, start: int, stop: int
    ) -> tuple[Iterator[bytes], BlobStream]:
        """Return the bytes of a blob, while they are fetched.

        :param start: the position of the first byte.
        :param stop: the position after the last byte.
        :return: the bytes, and a stream to close after the response.
        :raises RegistryError: if the upstream fails before the first byte.
        """
        app = t.cast(t.Any, current_app)._get_current_object()

        def reopen() -> BlobStream:
            with app.app_context():
                return self.blobs.open(wanted)

        stream = self.blobs.open(wanted)
        try:
            # The status of the response depends on the first byte.
            first = stream.read(start, 1) if start < stop else b""
            if start < stop and not first:
                stream.close()
                stream = self.blobs.open(wanted)
        except UpstreamFailed as failure:
            stream.close()
            raise self.blobs.errors_of(wanted, failure) from failure
        except RegistryError:
            stream.close()
            raise
        return pieces(stream, reopen, start, stop), stream
