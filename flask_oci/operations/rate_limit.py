"""The rate at which blobs are read."""

from __future__ import annotations

import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable


class RateLimit:
    """Reports bytes that are read, and limits their rate.

    :param rate: the maximum number of bytes to read per second; None means no limit.
    :param progress: called with the number of bytes of each piece.
    """

    def __init__(
        self,
        rate: int | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._rate = rate
        self._progress = progress
        self._started = time.monotonic()
        self._done = 0

    def wait_after(self, count: int) -> None:
        """Report ``count`` bytes, and sleep until more bytes may be read."""
        self._progress(count)
        self._done += count
        if self._rate is not None:
            spent = time.monotonic() - self._started
            time.sleep(max(self._done / self._rate - spent, 0))
