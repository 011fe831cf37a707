"""Circuit breakers: an upstream that is down costs one timeout in each period."""

from __future__ import annotations

import threading
import time

from .failures import UpstreamFailed

#: The number of failed answers in a row after which no more requests are sent. A
#: missing answer is enough, because it costs a timeout.
MAX_ERRORS = 3


class CircuitBreaker:
    """Refuses requests to one upstream for a period after it failed.

    After the period, one request tries whether the upstream is back.

    :param period: the period in seconds.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._lock = threading.Lock()
        self._failure: UpstreamFailed | None = None
        self._until = 0.0
        self._errors = 0

    def check(self) -> None:
        """Check that a request may be sent.

        :raises UpstreamFailed: if the upstream has failed recently.
        """
        with self._lock:
            if self._failure is None:
                return
            now = time.monotonic()
            if now < self._until:
                raise UpstreamFailed(
                    self._failure.kind, self._failure.reason, self._until - now
                )
            self._until = now + self._period

    def succeed(self) -> None:
        """Record an answer."""
        with self._lock:
            self._failure, self._errors = None, 0

    def fail(self, failure: UpstreamFailed, *, at_once: bool) -> None:
        """Record a failure.

        :param at_once: whether one failure is enough.
        """
        with self._lock:
            self._errors += 1
            if at_once or self._errors >= MAX_ERRORS or self._failure is not None:
                self._failure = failure
                pause = max(self._period, failure.pause)
                self._until = time.monotonic() + pause
