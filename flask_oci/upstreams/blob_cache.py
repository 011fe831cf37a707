"""Cached blobs: one download for many clients, over all processes."""

from __future__ import annotations

import logging
import threading
import time
import typing as t
from contextlib import suppress

from flask import current_app

from ..errors import BlobUnknown
from ..errors import Denied
from ..errors import RegistryError
from ..errors import Unavailable
from ..storage import Place
from .activity import Activity
from .activity import MISS
from .blob_streams import BlobStream
from .blob_streams import DownloadStream
from .blob_streams import RemoteStream
from .blob_streams import StoredStream
from .download import Download
from .download import LEASE
from .failures import ERROR
from .failures import MISSING
from .failures import REFUSED
from .failures import UpstreamFailed

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from ..catalog import Catalog
    from ..config import Config
    from ..config.upstreams import Upstream
    from ..core.content import Content
    from ..storage import Storage
    from ..storage import UploadFile
    from .client import UpstreamClient
    from .wanted_blob import WantedBlob

logger = logging.getLogger("flask_oci.upstreams")

#: The maximum number of downloads of one process.
MAX_DOWNLOADS: t.Final = 32

#: How often a stream is opened again, because a download ends in the same moment.
MAX_TRIES: t.Final = 50

#: How often a client waits half a second for a blob that another process downloads to
#: an object store.
MAX_WAITS: t.Final = 60


class BlobCache:
    """Fetches blobs of upstreams when clients ask for them.

    :param client_of: returns the client of an upstream.
    """

    def __init__(
        self,
        config: Config,
        catalog: Catalog,
        storage: Storage,
        content: Content,
        client_of: Callable[[Upstream], UpstreamClient],
        activity: Activity,
    ) -> None:
        self._config = config
        self._catalog = catalog
        self._storage = storage
        self._content = content
        self._client_of = client_of
        self._activity = activity
        self._lock = threading.Lock()
        self._running: dict[tuple[int, str], Download] = {}

    def open(self, wanted: WantedBlob) -> BlobStream:
        """Return a stream of a blob, and begin its download if no process has.

        :raises Denied: if the blob is too large.
        :raises BlobUnknown: if the upstream does not have it.
        :raises RegistryError: if the upstream fails.
        """
        self._check_size(wanted)
        tries = MAX_TRIES
        if self._storage.has_locations:
            tries += MAX_WAITS
        for attempt in range(tries):
            with suppress(FileNotFoundError):
                stream = self._try_open(wanted)
                self._catalog.release()
                if stream is not None:
                    return stream
            # Another process has just begun or ended, or only that process can read
            # the bytes that it stores.
            self._catalog.release()
            time.sleep(0.02 if attempt < MAX_TRIES else 0.5)
        raise Unavailable

    def wait_until_kept(self, wanted: WantedBlob) -> None:
        """Wait until a blob that was sent is kept, too, if this process fetches it."""
        with self._lock:
            running = self._running.get((wanted.repository.key, str(wanted.digest)))
        if running is not None:
            running.wait(wanted.upstream.fetch_timeout.total_seconds())

    def errors_of(self, wanted: WantedBlob, failure: UpstreamFailed) -> RegistryError:
        """Return the error for a client whose blob cannot be fetched."""
        if failure.kind in (MISSING, REFUSED):
            return BlobUnknown(
                f"{wanted.upstream.host} does not have this blob any more.",
                detail=str(wanted.digest),
            )
        return failure.as_error(wanted.upstream.host)

    def _check_size(self, wanted: WantedBlob) -> None:
        limits = (self._config.max_blob_size, wanted.upstream.max_blob_size)
        most = min((limit for limit in limits if limit is not None), default=None)
        if most is not None and wanted.size > most:
            raise Denied(
                f"The blob has {wanted.size} bytes; this registry fetches at most"
                f" {most}.",
                detail=str(wanted.digest),
            )

    def _try_open(self, wanted: WantedBlob) -> BlobStream | None:
        """Return a stream, or None if the download has just begun elsewhere.

        :raises FileNotFoundError: if it has just ended.
        """
        key, digest = (wanted.repository.key, str(wanted.digest)), wanted.digest
        with self._lock:
            running = self._running.get(key)
            if running is not None:
                return DownloadStream(self._open_running(running), running)
        found = self._catalog.blobs.find(wanted.repository.key, digest)
        if found is not None:
            return StoredStream(self._storage.open(found.place))
        name, leases = wanted.repository.name, self._catalog.upstreams.leases
        lease = leases.take(name, digest_text := str(digest), LEASE)
        if lease is not None:
            return self._begin(wanted, lease)
        other = leases.current(name, digest_text)
        if other is None:
            return None
        return RemoteStream(
            self._storage.read_upload(other),
            wanted.size,
            _leased_check(_app(), self._catalog, name, digest_text, other),
            wanted.upstream.fetch_timeout.total_seconds(),
        )

    def _open_running(self, running: Download) -> t.BinaryIO:
        try:
            return self._storage.read_upload(running.uuid)
        except FileNotFoundError:
            # Its bytes have just become the blob.
            return self._storage.open(self._place_of(running.wanted))

    def _place_of(self, wanted: WantedBlob) -> Place:
        """Return the place of a blob that has just been stored.

        :raises FileNotFoundError: if it is not recorded yet.
        """
        if not self._storage.has_locations:
            return Place(wanted.digest, wanted.size)
        place = self._catalog.blob_places.find(wanted.digest)
        if place is None:
            raise FileNotFoundError(str(wanted.digest))
        return place

    def _begin(self, wanted: WantedBlob, lease: str) -> BlobStream:
        """Begin a download, with its lease."""
        key = (wanted.repository.key, str(wanted.digest))
        try:
            # A process that ended before this lease began may have stored the blob.
            found = self._catalog.blobs.find(wanted.repository.key, wanted.digest)
            place = self._share(wanted) if found is None else found.place
            if place is not None:
                self._unlease(wanted, lease)
                return StoredStream(self._storage.open(place))
            self._content.storage_identity.verify()
            self._catalog.release()
            self._storage.start_upload(lease, is_read=True)
            file = self._storage.read_upload(lease)
            download = Download(wanted, lease)
            with self._lock:
                if len(self._running) >= MAX_DOWNLOADS:
                    raise Unavailable
                self._running[key] = download
        except BaseException:
            self._storage.discard_upload(lease)
            self._unlease(wanted, lease)
            raise
        threading.Thread(
            target=self._run, args=(_app(), download), daemon=True, name="oci-fetch"
        ).start()
        self._activity.count(wanted.upstream.namespace, MISS)
        return DownloadStream(file, download)

    def _unlease(self, wanted: WantedBlob, lease: str) -> None:
        name, digest = wanted.repository.name, str(wanted.digest)
        self._catalog.upstreams.leases.end(name, digest, lease)

    def _share(self, wanted: WantedBlob) -> Place | None:
        """Link a stored blob of another repository of the same upstream, if the
        upstream confirms that this repository has it, too.

        :return: its place, or None if it is not linked.
        """
        cached, digest = self._catalog.cached_content, wanted.digest
        if not cached.has_sibling(wanted.repository, digest):
            return None
        place = self._catalog.blob_places.find(digest)
        self._catalog.release()
        if place is None or place.size != wanted.size:
            return None
        remote = wanted.upstream.remote_name(wanted.repository.name)
        with suppress(UpstreamFailed):
            if self._client_of(wanted.upstream).has_blob(remote, digest):
                with self._storage.shared_lock(digest):
                    if self._storage.size(place) == wanted.size and cached.link(
                        wanted.repository, place, place
                    ):
                        return place
        return None

    def _run(self, app: Flask, download: Download) -> None:
        """Run a download, in a thread of its own."""
        wanted, error = download.wanted, None
        with app.app_context():
            try:
                self._fetch(download)
            except BaseException as found:
                error = found
                self._note(wanted, found)
            finally:
                with self._lock:
                    self._running.pop((wanted.repository.key, str(wanted.digest)), None)
                download.end(_as_failure(error))
                with suppress(Exception):
                    self._storage.discard_upload(download.uuid)
                    self._unlease(wanted, download.uuid)
                    self._catalog.release()

    def _fetch(self, download: Download) -> None:
        wanted = download.wanted
        name, digest = wanted.repository.name, str(wanted.digest)
        leases = self._catalog.upstreams.leases

        def renew() -> None:
            leases.renew(name, digest, download.uuid, LEASE)
            self._catalog.release()

        self._catalog.release()
        remote = wanted.upstream.remote_name(name)
        source = self._client_of(wanted.upstream).blob(remote, wanted.digest)
        try:
            download.run(
                self._storage, source, lambda upload: self._keep(wanted, upload), renew
            )
        finally:
            source.close()
        self._activity.add_bytes(wanted.upstream.namespace, wanted.size)
        self._activity.answered(wanted.upstream.namespace)

    def _keep(self, wanted: WantedBlob, upload: UploadFile) -> None:
        """Store the verified bytes of a download as a blob, if the quotas allow it."""
        repository, digest, size = wanted.repository, wanted.digest, wanted.size
        cached = self._catalog.cached_content
        if not cached.has_room(repository, size, wanted.upstream.quota):
            logger.warning(
                "%s of %s is not kept: the quota of the upstream %s is used up.",
                digest,
                repository.name,
                wanted.upstream.namespace,
            )
            return
        self._catalog.release()
        self._content.store(
            upload, digest, lambda place, kept: cached.link(repository, place, kept)
        )

    def _note(self, wanted: WantedBlob, error: BaseException) -> None:
        with suppress(Exception):
            self._catalog.rollback()
            if isinstance(error, UpstreamFailed):
                self._activity.failed(wanted.upstream.namespace, error)
            else:
                logger.error(
                    "Fetching %s of %s failed.",
                    wanted.digest,
                    wanted.repository.name,
                    exc_info=error,
                )


def _as_failure(error: BaseException | None) -> BaseException | None:
    """Return the error that clients of a download get."""
    if error is None or isinstance(error, (UpstreamFailed, RegistryError)):
        return error
    return UpstreamFailed(ERROR, "The blob could not be stored.")


def _app() -> Flask:
    return t.cast("Flask", t.cast(t.Any, current_app)._get_current_object())


def _leased_check(
    app: Flask, catalog: Catalog, name: str, digest: str, lease: str
) -> Callable[[], bool]:
    """Return a function that returns True while another process has a lease. It is
    called while a response is sent, after the context of its request has ended."""

    def is_leased() -> bool:
        with app.app_context():
            try:
                return catalog.upstreams.leases.current(name, digest) == lease
            finally:
                catalog.release()

    return is_leased
