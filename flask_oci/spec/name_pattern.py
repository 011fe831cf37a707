"""Patterns of repository names, as :mod:`fnmatch` defines them."""

from __future__ import annotations

import string
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache

#: A state of the grammar of names: the separators since the last letter or digit. Names
#: end with a letter or digit, in the empty state.
State: t.TypeAlias = str

_END: t.Final = ""

#: The state of the empty name, in which a letter or digit has to follow.
_START: t.Final = "/"

_ALPHABET: t.Final = string.ascii_lowercase + string.digits + "._-/"

#: The maximum number of sets of characters in a pattern that is examined. The time to
#: examine more would be noticeable.
_MAX_SETS: t.Final = 10


def can_match(pattern: str) -> bool:
    """Return True if a pattern may match a repository name.

    A pattern such as ``Alice/*`` or ``example.org:5000/alice/*`` matches none.
    """
    if pattern.count("[") > _MAX_SETS:
        return True
    states = frozenset({_START})
    for part in _parts(pattern):
        if part == "*":
            states = _later(states)
        else:
            states = frozenset().union(*(_after(state, part) for state in states))
    return _END in states


def _parts(pattern: str) -> Iterator[str]:
    """Yield the parts of a pattern that match one character each, and asterisks."""
    start = 0
    while start < len(pattern):
        end = start + 1
        if pattern[start] == "[":
            # A bracket right after the opening one, or after "!", is literal.
            first = start + 2 + pattern.startswith("!", start + 1)
            end = pattern.find("]", first) + 1 or end
        yield pattern[start:end]
        start = end


def _after(state: State, part: str) -> frozenset[State]:
    """Return the states after one character that a part of a pattern matches."""
    if part == "?":
        return _next(state)
    if len(part) == 1:
        return _step(state, part)
    return _union(_step(state, c) for c in _ALPHABET if fnmatchcase(c, part))


@cache
def _next(state: State) -> frozenset[State]:
    return _union(_step(state, character) for character in _ALPHABET)


@cache
def _later(states: frozenset[State]) -> frozenset[State]:
    """Return the states after any number of characters."""
    further = states.union(*map(_next, states))
    return states if further == states else _later(further)


def _step(state: State, character: str) -> frozenset[State]:
    """Return the state after a character; no state if no name has it there."""
    if character not in _ALPHABET:
        return frozenset()
    if character.isalnum():
        return frozenset({_END})
    separator = state + character
    if not separator.strip("-"):
        # Any number of dashes has the same followers as one.
        return frozenset({"-"})
    return frozenset({separator} & {".", "_", "__", "/"})


def _union(parts: Iterable[frozenset[State]]) -> frozenset[State]:
    return frozenset().union(*parts)
