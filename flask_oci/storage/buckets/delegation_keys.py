"""User delegation keys of Azure: signing with the identity of the machine.

An identity has no account key. The service gives it a key for some time, with which it
signs URLs as with an account key.
"""

from __future__ import annotations

import threading
import typing as t
from datetime import datetime
from datetime import timedelta
from datetime import timezone

from ...errors import Unavailable

if t.TYPE_CHECKING:
    from collections.abc import Callable

#: How long a key is valid. The service permits a week.
LIFETIME: t.Final = timedelta(days=1)

#: How long before its end a key is replaced, and how long before it is not used any
#: more: a URL may not be valid for longer than its key.
RENEWAL: t.Final = timedelta(hours=6)
LAST_USE: t.Final = timedelta(minutes=15)

#: How much the clocks may differ.
SKEW: t.Final = timedelta(minutes=15)

#: The time between two attempts to get a key.
RETRY: t.Final = timedelta(minutes=1)

_NEVER: t.Final = datetime.min.replace(tzinfo=timezone.utc)


class DelegationKeys:
    """The key of a process, which all threads share.

    :param request: asks the service for a key that is valid from one time to another.
    """

    def __init__(self, request: Callable[[datetime, datetime], t.Any]) -> None:
        self._request = request
        self._lock = threading.Lock()
        self._key: t.Any = None
        self._ask_at = self._last_use = _NEVER

    def get(self) -> t.Any:
        """Return a valid key, or None if the service provides none."""
        if datetime.now(timezone.utc) >= self._ask_at:
            with self._lock:
                self._renew(datetime.now(timezone.utc))
        return self._key if datetime.now(timezone.utc) < self._last_use else None

    def _renew(self, now: datetime) -> None:
        if now < self._ask_at:
            return
        end = now + LIFETIME
        try:
            self._key = self._request(now - SKEW, end)
        except Unavailable:
            # The log has the cause. A key that is still valid is used meanwhile.
            self._ask_at = now + RETRY
        else:
            self._ask_at, self._last_use = end - RENEWAL, end - LAST_USE
