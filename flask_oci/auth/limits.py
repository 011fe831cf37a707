"""Limits of credentials: the actions and the repositories that they allow."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from fnmatch import fnmatchcase
from itertools import islice

from ..clock import utcnow
from ..spec.name_pattern import can_match
from ..spec.reference import is_name
from ..spec.scope import Action
from ..spec.scope import TOKEN_ACTIONS

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence

    from ..catalog import Robot
    from ..catalog.credentials import Credential

#: The maximum number of patterns in a token, and of characters in each. Each use of the
#: token compares all of them.
MAX_PATTERNS: t.Final = 100
MAX_PATTERN_LENGTH: t.Final = 255

#: The actions and the lifetime of a token, unless the user chooses others on the page,
#: at the command line or in REST.
USUAL_ACTIONS: t.Final[tuple[Action, ...]] = ("pull", "push")
USUAL_DAYS: t.Final = 30


@dataclass(frozen=True, slots=True)
class Limit:
    """The actions and repositories that a credential or a robot is limited to, whatever
    its user may do.

    A limited credential cannot be exchanged for one with a wider limit.
    """

    actions: tuple[str, ...]
    repositories: tuple[str, ...]

    def allows(self, action: Action, name: str) -> bool:
        """Return True if the limit includes an action on a repository."""
        covered = action in self.actions or (
            action == "pull" and "push" in self.actions
        )
        return covered and any(fnmatchcase(name, p) for p in self.repositories)


class UselessPattern(ValueError):
    """A pattern matches no repository name.

    :param pattern: the pattern.
    """

    def __init__(self, pattern: str) -> None:
        super().__init__(
            f"The pattern {pattern!r} matches no repository name. Names have lower-case"
            " letters and digits, and neither a host nor a tag, as in 'alice/*'."
        )
        self.pattern = pattern


def usual_patterns(namespace: str) -> tuple[str, ...]:
    """Return the patterns of a token unless its user chooses others: the user's own
    repositories.

    :param namespace: the name of the user. If it is not a valid repository name, such
        as an e-mail address, the patterns cover all repositories.
    """
    return (f"{namespace}/*",) if is_name(namespace) else ("*",)


def limit_of(limited: Credential | Robot) -> Limit:
    """Return the limit of a credential or of a robot."""
    return Limit(limited.actions, limited.repositories)


def expiry(expires: datetime | timedelta | None) -> datetime | None:
    """Return the time of an expiry in UTC, or None.

    :raises ValueError: if it is a datetime without a time zone.
    """
    if isinstance(expires, timedelta):
        return utcnow() + expires
    if expires is not None and expires.tzinfo is None:
        raise ValueError(
            "'expires' must be a timedelta, or a datetime with a time zone."
        )
    # Some databases drop the time zone, and the value is read back as UTC.
    return expires and expires.astimezone(timezone.utc)


def checked_actions(
    actions: Iterable[str], allowed: Sequence[str] = TOKEN_ACTIONS
) -> tuple[str, ...]:
    """Return actions without repetitions.

    :param allowed: the actions that may be chosen.
    :raises ValueError: if an action is invalid, or there is none.
    """
    wanted = tuple(dict.fromkeys(actions))
    if not wanted or not set(wanted) <= set(allowed):
        known = ", ".join(allowed)
        raise ValueError(f"Invalid 'actions' {wanted!r}: use some of {known}.")
    return wanted


def checked_patterns(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return patterns of repository names.

    :raises ValueError: if there is none, are too many, or one is too long or useless.
    """
    if isinstance(patterns, str):
        raise ValueError(f"'repositories' must be a list, not {patterns!r}.")
    wanted = tuple(islice(patterns, MAX_PATTERNS + 1))
    if len(wanted) > MAX_PATTERNS:
        raise ValueError(f"'repositories' must have at most {MAX_PATTERNS} patterns.")
    if any(len(p) > MAX_PATTERN_LENGTH for p in wanted if isinstance(p, str)):
        raise ValueError(
            f"A pattern in 'repositories' must have at most {MAX_PATTERN_LENGTH}"
            " characters."
        )
    if not wanted or not all(isinstance(p, str) and p for p in wanted):
        raise ValueError("'repositories' needs a pattern, such as 'alice/*'.")
    for pattern in wanted:
        if not can_match(pattern):
            raise UselessPattern(pattern)
    return wanted
