"""Cache of the keys of issuers, for one process.

A request never fetches keys itself: a thread of its own does, one for each issuer. So a
hanging issuer holds no request for longer than the time limit, and few requests wait.
"""

from __future__ import annotations

import logging
import threading
import time
import typing as t
from dataclasses import dataclass
from dataclasses import field

from .discovery import discover
from .discovery import DiscoveryFailed
from .discovery import TIMEOUT
from .refusal import IssuerUnavailable

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping
    from collections.abc import Sequence

    from ...config.issuers import Issuer
    from ...config.parsers import Network
    from .signatures import Key

logger = logging.getLogger("flask_oci.oidc")

#: How many seconds keys are used before they are fetched again.
FRESH: t.Final = 15 * 60

#: How many seconds keys are used while the issuer does not answer.
STALE: t.Final = 60 * 60

#: The minimum number of seconds between two fetches. Any client can send tokens
#: with unknown keys.
PAUSE: t.Final = 30

#: How many requests wait for one fetch. Others are told to try again.
MOST_WAITING: t.Final = 4


@dataclass
class _State:
    """The keys of one issuer, and its current fetch."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    keys: Mapping[str, Key] = field(default_factory=dict)
    fetched_at: float | None = None
    """When the keys were fetched, in seconds of a monotonic clock, or None."""

    tried_at: float | None = None
    """When the last fetch began."""

    done: threading.Event | None = None
    """Is set at the end of the current fetch; None without one."""

    waiting: int = 0


class KeyCache:
    """Returns the keys of issuers.

    :param allowed: the networks of ``OCI_OIDC_NETWORKS``.
    :param before_wait: is called before a request waits, to return its database
        connection.
    """

    def __init__(
        self, allowed: Sequence[Network], before_wait: Callable[[], object]
    ) -> None:
        self._allowed = allowed
        self._before_wait = before_wait
        self._states: dict[str, _State] = {}
        self._lock = threading.Lock()

    def key(self, issuer: Issuer, key_id: str) -> Key | None:
        """Return a key of an issuer, or None if the issuer has no such key.

        :param key_id: the name of the key, from the header of a token.
        :raises IssuerUnavailable: if the keys cannot be read now.
        """
        state = self._state(issuer)
        found = state.keys.get(key_id)
        age = _since(state.fetched_at)
        if found is not None and age < FRESH:
            return found
        done = self._start_fetch(issuer, state)
        if done is not None and (found is None or age >= STALE):
            self._wait(state, done)
        if _since(state.fetched_at) >= STALE:
            raise IssuerUnavailable(
                "The registry cannot read the keys of the issuer now; try again in a"
                " minute."
            )
        return state.keys.get(key_id)

    def _state(self, issuer: Issuer) -> _State:
        with self._lock:
            return self._states.setdefault(issuer.url, _State())

    def _start_fetch(self, issuer: Issuer, state: _State) -> threading.Event | None:
        """Return the event at the end of the current fetch, which is started unless
        the last one was a moment ago; then return None."""
        with state.lock:
            if state.done is None and _since(state.tried_at) >= PAUSE:
                state.tried_at = time.monotonic()
                state.done = threading.Event()
                threading.Thread(
                    target=self._fetch, args=(issuer, state, state.done), daemon=True
                ).start()
            return state.done

    def _fetch(self, issuer: Issuer, state: _State, done: threading.Event) -> None:
        try:
            keys = discover(issuer, self._allowed).keys
        except DiscoveryFailed as error:
            logger.warning("The keys of %s are unknown: %s", issuer.url, error)
        except Exception:
            logger.exception("The keys of %s cannot be read.", issuer.url)
        else:
            state.keys, state.fetched_at = keys, time.monotonic()
        finally:
            with state.lock:
                state.done = None
            done.set()

    def _wait(self, state: _State, done: threading.Event) -> None:
        with state.lock:
            if state.waiting >= MOST_WAITING:
                raise IssuerUnavailable(
                    "Many jobs log in at the same time; try again in a few seconds."
                )
            state.waiting += 1
        try:
            self._before_wait()
            done.wait(TIMEOUT)
        finally:
            with state.lock:
                state.waiting -= 1


def _since(moment: float | None) -> float:
    return float("inf") if moment is None else time.monotonic() - moment
