"""Circuit breakers: a store that is silent occupies few threads, and for a short time.

Without them, each request of a client would wait for the store, until all threads of
the process wait.
"""

from __future__ import annotations

import threading
import time
import typing as t
from contextlib import contextmanager

from ...errors import Unavailable
from .failures import logger
from .failures import REMEDIES
from .failures import StoreUnavailable

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping

#: How long a store may be silent, in seconds, unless ``timeout`` of its address says
#: otherwise. It may take half of that to accept a connection, or more bytes of a body.
TIMEOUT: t.Final = 10.0

#: How much longer a store that is sent a large body may be silent, in seconds. The
#: kernel buffers up to 4 MiB of it, accepts more when a third of that is sent, and
#: sends the rest while the process waits for the answer.
DRAIN: t.Final = 20.0
LARGE: t.Final = 1024 * 1024

#: How often a request is sent before a failure is final, and before silence is. The
#: second request has a new connection: firewalls forget those that were idle.
ATTEMPTS: t.Final = 3
SILENT_ATTEMPTS: t.Final = 2

#: For how many seconds no request is sent to a silent store.
PAUSE: t.Final = 5.0

#: The number of timeouts that one request may need to find out whether a store answers.
TRIAL: t.Final = 3


class CircuitBreaker:
    """Refuses requests to one store for a pause after it was silent.

    After the pause, one request tries whether the store answers again.

    :param name: the name of the bucket, for the log.
    :param options: the options of its address.
    """

    def __init__(self, name: str, options: Mapping[str, str]) -> None:
        self.timeout = float(options.get("timeout", TIMEOUT))
        self._name = name
        self._lock = threading.Lock()
        self._answered_at = 0.0
        self._until: float | None = None

    def timeout_of(self, body: bytes | bytearray) -> float:
        """Return how long the store may be silent while and after it receives a body.

        A silent store is sent a large body once only.
        """
        return self.timeout + (DRAIN if len(body) > LARGE else 0)

    @property
    def is_open(self) -> bool:
        """Whether the store was silent, and has not answered since."""
        return self._until is not None

    @contextmanager
    def request(self) -> Iterator[None]:
        """Send a request within the context, and observe whether the store answers.

        :raises StoreUnavailable: if the store was silent a moment ago.
        """
        began_at = self._begin()
        try:
            yield
        except Exception as error:
            self._record(began_at, error)
            raise
        self._record(began_at)

    def _begin(self) -> float:
        """Return the time at the beginning of a request, unless it is refused."""
        now = time.monotonic()
        if self._until is None:
            return now
        with self._lock:
            if self._until is not None:
                if now < self._until:
                    raise StoreUnavailable("", REMEDIES[""])
                # This request tries it. If it has no result, another one follows.
                self._until = now + TRIAL * self.timeout
        return now

    def _record(self, began_at: float, error: Exception | None = None) -> None:
        """Record the end of a request.

        :param began_at: the result of :meth:`_begin`.
        :param error: the failure, or None. A refusal is an answer too, and a connection
            that is refused at once does not let others wait.
        """
        if error is not None and is_silence(error.__cause__):
            self._fail(began_at)
            return
        self._answered_at = time.monotonic()
        if self._until is not None:
            self._until = None
            logger.warning("%s is not silent any more.", self._name)

    def _fail(self, began_at: float) -> None:
        # A store that has answered others since then is slow, not silent.
        if self._answered_at < began_at:
            self._until = time.monotonic() + PAUSE
            logger.error(
                "%s is silent; no request is sent for %g s.", self._name, PAUSE
            )


def is_silence(error: BaseException | None) -> bool:
    """Return True if a request failed because a timeout of its socket expired."""
    while error is not None and not isinstance(error, Unavailable):
        if isinstance(error, TimeoutError):
            return True
        # The clients of Azure raise their errors after the handler.
        inner = getattr(error, "inner_exception", None)
        error = inner or error.__cause__ or error.__context__
    return False
