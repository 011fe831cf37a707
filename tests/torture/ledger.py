"""What clients were told, and what therefore has to be true."""

from __future__ import annotations

import threading
import time
import typing as t
from collections import Counter
from collections import defaultdict

from .content import Image


class Key(t.NamedTuple):
    """Something that is there or not, or has one value or another."""

    kind: t.Literal["blob", "manifest", "tag"]
    repository: str
    name: str
    """A digest, or a tag."""


#: What a tag points at, or the digest again, or None for what is not there.
State = str | None


class Ledger:
    """Keeps the states that each key may be in, given the answers so far.

    A request that is about to be sent adds a state. An answer leaves the one that
    it acknowledges. A request without an answer leaves both in doubt.
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
        """How often each kind of thing happened, for the report."""

    def count(self, what: str, number: int = 1) -> None:
        """Remember for the report that something happened."""
        with self._lock:
            self.counts[what] += number

    def attempt(self, key: Key, state: State) -> None:
        """Note that a request is about to be sent which leads to a state."""
        with self._lock:
            self._allowed.setdefault(key, {None}).add(state)
            self._touched.add(key)

    def acknowledge(
        self, key: Key, state: State, spared_until: float | None = None
    ) -> None:
        """Note that a request that leads to a state was answered.

        :param spared_until: the time from which on the collection may take it.
        """
        with self._lock:
            self._allowed[key] = {state}
            self._touched.add(key)
            if spared_until is None:
                self._spared_until.pop(key, None)
            else:
                self._spared_until[key] = spared_until

    def remember(self, repository: str, image: Image) -> None:
        """Note what a manifest is of, before it is pushed."""
        with self._lock:
            self._images[repository, image.digest] = image

    def image(self, repository: str, digest: str) -> Image:
        """Return what a manifest is of."""
        with self._lock:
            return self._images[repository, digest]

    def allowed(self, key: Key) -> set[State]:
        """Return the states in which a key may be found now."""
        with self._lock:
            allowed = set(self._allowed[key])
            if time.time() >= self._spared_until.get(key, float("inf")):
                allowed.add(None)
            return allowed

    def found(self, key: Key, state: State) -> None:
        """Note, while nobody writes, what a doubtful key turned out to be."""
        with self._lock:
            if len(self._allowed[key]) > 1:
                self._allowed[key] = {state}

    def touched(self) -> list[Key]:
        """Return the keys that were written to since this was last asked."""
        with self._lock:
            touched, self._touched = self._touched, set()
            return sorted(touched)

    def everything(self) -> list[Key]:
        """Return every key that was ever written to."""
        with self._lock:
            return sorted(self._allowed)

    def deleting(self, repository: str, digest: str) -> None:
        """Note that a blob that others use too is about to be deleted."""
        with self._lock:
            self._deleting[repository, digest] += 1

    def deleted(self, repository: str, digest: str) -> None:
        """Note that such a deletion was answered."""
        with self._lock:
            self._deleting[repository, digest] -= 1
            self._deleted_at[repository, digest] = time.time()

    def may_be_gone(self, repository: str, digest: str, promised_at: float) -> bool:
        """Tell whether somebody has deleted a blob since it was promised."""
        with self._lock:
            key = repository, digest
            return self._deleting[key] > 0 or self._deleted_at[key] >= promised_at
