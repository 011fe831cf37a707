"""Parallel transfers of images and blobs."""

from __future__ import annotations

import threading
import typing as t
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterable
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait

from flask import current_app

from ..spec.digest import Digest
from ..spec.manifest import Descriptor

if t.TYPE_CHECKING:
    import types

T = t.TypeVar("T")

#: More threads would wait for database connections.
MAX_WORKERS: t.Final = 6


class WorkerPool:
    """Transfers images, and the blobs of each, in parallel.

    Each thread has its own application context, and thus its own database connection.
    Image threads wait for blob threads, and blob threads wait for no other.

    :param jobs: the number of images, and of blobs, in parallel.
    :param release: returns the caller's connection to the pool.
    """

    def __init__(self, jobs: int, release: Callable[[], None]) -> None:
        self._app = t.cast(t.Any, current_app)._get_current_object()
        self._release = release
        self._images = ThreadPoolExecutor(min(jobs, MAX_WORKERS))
        self._blobs = ThreadPoolExecutor(min(jobs, MAX_WORKERS))
        self._turns: defaultdict[Digest, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self._images.shutdown(cancel_futures=True)
        self._blobs.shutdown(cancel_futures=True)

    def __call__(
        self, work: Callable[[Descriptor], None], blobs: Iterable[Descriptor]
    ) -> None:
        """Transfer the blobs of a manifest. The first failure ends it."""
        self._release()
        futures = [self._blobs.submit(self._in_turn, work, blob) for blob in blobs]
        try:
            for future in futures:
                future.result()
        finally:
            for future in futures:
                future.cancel()
            wait(futures)

    def images(self, work: Callable[[str], T], tags: Iterable[str]) -> list[Future[T]]:
        """Transfer images, and report the results in order."""
        return [self._images.submit(self._within, work, tag) for tag in tags]

    def _in_turn(self, work: Callable[[Descriptor], None], blob: Descriptor) -> None:
        # A layer that two images share is transferred once.
        with self._lock:
            turn = self._turns[blob.digest]
        with turn:
            self._within(work, blob)

    def _within(self, work: Callable[[t.Any], T], what: t.Any) -> T:
        with self._app.app_context():
            return work(what)
