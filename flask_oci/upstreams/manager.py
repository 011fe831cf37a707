"""The Python API of upstreams: ``registry.upstreams``."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ..catalog import RepositoryInfo
from ..config.upstreams import Upstream
from ..errors import ManifestUnknown
from ..events import audit
from ..rules.blocks import check_bans
from ..spec.digest import Digest
from ..spec.json_object import read_object
from ..spec.manifest import INDEX_TYPES
from ..spec.manifest import Manifest
from ..spec.manifest import parse
from ..spec.manifest import written_platform
from .failures import UpstreamFailed

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog import StoredManifest
    from .cache import UpstreamCache


@dataclass(frozen=True, slots=True)
class UpstreamInfo:
    """An upstream, its state and its cached content."""

    namespace: str
    """The first component of the names of its repositories."""

    address: str
    """The host of the upstream, as users know it."""

    repositories: int
    """The number of cached repositories."""

    tags: int
    """The number of cached tags."""

    bytes: int
    """The size of the cached blobs in bytes."""

    answered_at: datetime | None
    """When the upstream last answered, to about a minute."""

    rate_limit: str | None
    """The rate limit of the upstream, as it sent it, such as ``100;w=21600``."""

    rate_remaining: str | None
    """The requests that the rate limit leaves, such as ``98;w=21600``."""

    failed_at: datetime | None
    """When the upstream failed, or None if it has answered since."""

    failure: str | None
    """The reason of the failure, or None if it has answered since."""

    @property
    def is_failing(self) -> bool:
        """Whether the upstream has failed since it last answered."""
        return self.failed_at is not None


@dataclass(slots=True)
class WarmResult:
    """The content of an image that was fetched in advance."""

    digest: str
    """The digest of the image."""

    manifests: int = 0
    """The number of manifests of the image, with those that were cached before."""

    blobs: int = 0
    """The number of fetched blobs."""

    bytes: int = 0
    """The size of the fetched blobs in bytes."""


class UpstreamManager:
    """Lists upstreams, and fetches and deletes their cached content.

    Its methods need an application context.

    :param catalog: the cached content.
    :param cache: returns the cache of the current application, or None.
    :param upstreams: returns the upstreams of the current application.
    """

    def __init__(
        self,
        catalog: Catalog,
        cache: Callable[[], UpstreamCache | None],
        upstreams: Callable[[], t.Mapping[str, Upstream]],
    ) -> None:
        self._catalog = catalog
        self._cache = cache
        self._upstreams = upstreams

    def list(self) -> list[UpstreamInfo]:
        """Return the upstreams, ordered by namespace."""
        return [self.get(namespace) for namespace in sorted(self._upstreams())]

    def get(self, namespace: str) -> UpstreamInfo:
        """Return an upstream.

        :raises ValueError: if there is no such upstream.
        """
        upstream, records = self._find(namespace), self._catalog.upstreams.states
        totals, status = records.totals(namespace), records.status(namespace)
        return UpstreamInfo(
            namespace,
            upstream.host,
            totals.repositories,
            totals.tags,
            totals.bytes,
            status.answered_at,
            status.rate_limit,
            status.rate_remaining,
            status.failed_at,
            status.failure,
        )

    def check(self, namespace: str) -> str | None:
        """Send a request to an upstream.

        :return: the reason why it does not answer or refuses the credentials, or None.
        :raises ValueError: if there is no such upstream.
        """
        upstream = self._find(namespace)
        self._catalog.release()
        try:
            self._of_application().client(upstream).check()
        except UpstreamFailed as failure:
            self._catalog.upstreams.states.failed(namespace, failure.reason)
            return failure.reason
        self._of_application().activity.answered(namespace)
        return None

    def warm(
        self,
        name: str,
        tag: str = "latest",
        *,
        report: Callable[[str], object] = lambda _: None,
    ) -> WarmResult:
        """Fetch an image with all its content, so that a later pull is local. Only
        images for the platforms of the upstream are fetched.

        :param name: the name of the repository, with the namespace.
        :param report: called with the digest of each piece of content before its fetch.
        :raises ValueError: if the name is not in the namespace of an upstream.
        :raises Denied: if a part of the image is blocked.
        :raises RegistryError: if the upstream fails, or does not have the image.
        """
        repository = self._repository(name)
        upstream, cache = self._find(repository.namespace), self._of_application()
        repository = cache.tags.update(upstream, repository, tag, force=True)
        stored = self._catalog.manifests.find(repository.key, tag)
        if stored is None:
            raise ManifestUnknown(detail=tag)
        result = WarmResult(stored.digest)
        self._warm_manifest(upstream, repository, stored, result, report)
        self._catalog.release()
        return result

    def _warm_manifest(
        self,
        upstream: Upstream,
        repository: RepositoryInfo,
        stored: StoredManifest,
        result: WarmResult,
        report: Callable[[str], object],
    ) -> None:
        result.manifests += 1
        content = t.cast(bytes, stored.content)
        manifest = parse(content, stored.media_type)
        is_index = manifest.media_type in INDEX_TYPES
        parts = () if is_index else manifest.descriptors
        wanted = [stored.digest, *(str(each.digest) for each in parts)]
        bans = self._catalog.blocks.bans(repository, wanted)
        check_bans(bans, repository.id, repository.name)
        if not is_index:
            self._warm_blobs(upstream, repository, manifest, result, report)
            return
        for digest in _wanted_children(content, upstream):
            child = Digest.parse(digest)
            found = self._catalog.manifests.find(repository.key, child)
            if found is None:
                report(digest)
                self._of_application().named.fetch(upstream, repository, child)
                found = self._catalog.manifests.find(repository.key, child)
            if found is not None:
                self._warm_manifest(upstream, repository, found, result, report)

    def _warm_blobs(
        self,
        upstream: Upstream,
        repository: RepositoryInfo,
        manifest: Manifest,
        result: WarmResult,
        report: Callable[[str], object],
    ) -> None:
        cache = self._of_application()
        for descriptor in manifest.descriptors:
            digest = descriptor.digest
            found = self._catalog.blobs.find(repository.key, digest)
            if found is not None or descriptor.foreign:
                continue
            report(str(digest))
            wanted = cache.wanted_blob(upstream, repository, digest)
            pieces, opened = cache.stream(wanted, 0, wanted.size)
            try:
                for _ in pieces:
                    pass
                # The command may end its process next.
                cache.blobs.wait_until_kept(wanted)
            except UpstreamFailed as failure:
                raise cache.blobs.errors_of(wanted, failure) from failure
            finally:
                opened.close()
            result.blobs += 1
            result.bytes += wanted.size

    def purge(
        self, name: str, tag: str | None = None, *, by: t.Any = None
    ) -> t.Sequence[str]:
        """Delete cached content. It is fetched again when a client asks for it.

        :param name: the namespace of an upstream, or the name of a cached repository.
        :param tag: the only tag to delete.
        :param by: the user who makes the change, for the audit log.
        :return: the names of the deleted repositories, or of the repository of the tag.
        :raises ValueError: if it is neither, or there is no such tag.
        """
        known = self._catalog.upstreams.states.names(name.partition("/")[0])
        names = [each for each in known if each == name or "/" not in name]
        if not names and name not in self._upstreams():
            raise ValueError(f"{name} is neither an upstream nor a cached repository.")
        if tag is not None:
            return [self._purge_tag(name, tag, by)]
        user = self._catalog.users.name_of(by)
        for each in names:
            self._catalog.repositories.delete(each, by=self._catalog.users.key_of(by))
            audit.record("delete", user, each, reference="everything")
        return names

    def _purge_tag(self, name: str, tag: str, by: t.Any) -> str:
        repository = self._catalog.repositories.get(name)
        if self._catalog.manifests.find(repository.key, tag, content=False) is None:
            raise ValueError(f"{name} has no cached tag {tag}.")
        self._catalog.cached_content.delete_tag(repository, tag)
        user = self._catalog.users.name_of(by)
        audit.record("delete", user, name, reference=tag)
        return name

    def _find(self, namespace: str) -> Upstream:
        found = self._upstreams().get(namespace)
        if found is None:
            raise ValueError(f"There is no upstream {namespace!r} in OCI_UPSTREAMS.")
        return found

    def _repository(self, name: str) -> RepositoryInfo:
        found = self._catalog.repositories.find(name)
        cache = self._of_application()
        if (upstream := cache.of(found)) is None:
            raise ValueError(f"{name} is not in the namespace of an upstream.")
        return RepositoryInfo(
            found.name,
            found.id,
            found.owner_id,
            found.visibility,
            upstream.namespace,
        )

    def _of_application(self) -> UpstreamCache:
        found = self._cache()
        if found is None:
            raise ValueError("The application has no upstreams: set OCI_UPSTREAMS.")
        return found


def _wanted_children(content: bytes, upstream: Upstream) -> list[str]:
    """Return the digests of the children of an index whose platform is allowed."""
    entries = read_object(content).get("manifests") or []
    return [
        str(entry["digest"])
        for entry in entries
        if upstream.allows_platform(written_platform(entry.get("platform")))
    ]
