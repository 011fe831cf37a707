"""The ledger: the answers to clients, and the states that they permit."""

from __future__ import annotations

import threading
import time
import typing as t
from collections import Counter
from collections import defaultdict

from .content import Image


class Key(t.NamedTuple):
    """A tag, manifest or blob, whose state the ledger tracks."""

    kind: t.Literal["blob", "manifest", "tag"]
    repository: str
    name: str
    """Its digest or tag."""


#: The digest that a tag points at, a manifest's or blob's own digest, or None if the
#: key does not exist.
State = str | None


class Ledger:
    """Keeps the permitted states of each key, given the answers so far.

    A request adds a state before it is sent. An answer leaves only the state that it
    acknowledges. A request without an answer leaves both states.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._allowed: dict[Key, set[State]] = {}
        self._spared_until: dict[Key, float] = {}
        self._touched: set[Key] = set()
        self._images: dict[tuple[str, str], Image] = {}
        self._deleted_at: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._deleting: Counter[tuple[str, str]] = Counter()
        self.counts: Counter[str] = Counter()
        """The number of events of each kind, for the report."""

    def count(self, what: str, number: int = 1) -> None:
        """Count an event for the report."""
        with self._lock:
            self.counts[what] += number

    def attempt(self, key: Key, state: State) -> None:
        """Record that a request that leads to a state is about to be sent."""
        with self._lock:
            self._allowed.setdefault(key, {None}).add(state)
            self._touched.add(key)

    def acknowledge(
        self, key: Key, state: State, spared_until: float | None = None
    ) -> None:
        """Record that a request that leads to a state was answered.

        :param spared_until: the time after which the collection may delete it.
        """
        with self._lock:
            self._allowed[key] = {state}
            self._touched.add(key)
            if spared_until is None:
                self._spared_until.pop(key, None)
            else:
                self._spared_until[key] = spared_until

    def remember(self, repository: str, image: Image) -> None:
        """Record the image of a manifest, before its push."""
        with self._lock:
            self._images[repository, image.digest] = image

    def image(self, repository: str, digest: str) -> Image:
        """Return the image of a manifest."""
        with self._lock:
            return self._images[repository, digest]

    def allowed(self, key: Key) -> set[State]:
        """Return the states that a key may have now."""
        with self._lock:
            allowed = set(self._allowed[key])
            if time.time() >= self._spared_until.get(key, float("inf")):
                allowed.add(None)
            return allowed

    def found(self, key: Key, state: State) -> None:
        """Record the state of a doubtful key, while no client writes."""
        with self._lock:
            if len(self._allowed[key]) > 1:
                self._allowed[key] = {state}

    def touched(self) -> list[Key]:
        """Return the keys that were written to since the last call."""
        with self._lock:
            touched, self._touched = self._touched, set()
            return sorted(touched)

    def everything(self) -> list[Key]:
        """Return every key that was ever written to, in order."""
        with self._lock:
            return sorted(self._allowed)

    def deleting(self, repository: str, digest: str) -> None:
        """Record that a shared blob is about to be deleted."""
        with self._lock:
            self._deleting[repository, digest] += 1

    def deleted(self, repository: str, digest: str) -> None:
        """Record that such a deletion was answered."""
        with self._lock:
            self._deleting[repository, digest] -= 1
            self._deleted_at[repository, digest] = time.time()

    def may_be_gone(self, repository: str, digest: str, promised_at: float) -> bool:
        """Return True if a client may have deleted a blob since it was promised."""
        with self._lock:
            key = repository, digest
            return self._deleting[key] > 0 or self._deleted_at[key] >= promised_at
