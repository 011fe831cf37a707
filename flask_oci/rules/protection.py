"""Tags that not everybody who may push can move or delete."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..errors import Denied

#: How many patterns somebody may lay down in one place.
MOST: t.Final = 100

_PATTERN = re.compile(r"[A-Za-z0-9_.*?-]{1,128}", re.ASCII)

#: What clients attach to an image by a tag of its digest, and write again whenever
#: they add to it: cosign's signatures, attestations and SBOMs, and the list of
#: referrers (spec.md, "Referrers Tag Schema", which cuts a digest at 64 digits). It is
#: written in what Python and the databases have in common.
ATTACHED: t.Final = "^sha(256|512)-[0-9a-f]{64}([.](sig|att|sbom))?$"

_ATTACHED = re.compile(ATTACHED, re.ASCII)


class TagProtected(Denied):
    """Somebody wants to change a tag that others look after."""

    def __init__(self, tag: str, pattern: str) -> None:
        super().__init__(
            f"The tag {tag} is protected (by '{pattern}'): who may manage the"
            " repository can move or delete it. Push another tag, or ask its owner.",
            detail=tag,
        )


class TagImmutable(Denied):
    """Somebody wants to change a tag that stays what it was pushed as."""

    def __init__(self, tag: str, pattern: str) -> None:
        super().__init__(
            f"The tag {tag} is immutable (by '{pattern}'): it stays what it was first"
            " pushed as. Push another tag.",
            detail=tag,
        )


@dataclass(frozen=True, slots=True)
class Protection:
    """Patterns of tags, in which ``*`` is any text and ``?`` any character."""

    protected: tuple[str, ...] = ()
    """Those that only who may manage the repository can move or delete."""

    immutable: tuple[str, ...] = ()
    """Those that nobody can, as long as the pattern stands."""

    @classmethod
    def read(cls, value: dict[str, list[str]]) -> Protection:
        """Return the protection that a rule of this value lays down."""
        return cls(tuple(value["protected"]), tuple(value["immutable"]))

    def __or__(self, other: Protection) -> Protection:
        return Protection(
            (*self.protected, *other.protected), (*self.immutable, *other.immutable)
        )

    def protecting(self, tag: str) -> str | None:
        """Return the pattern that a protected tag matches, or None."""
        return _match(tag, self.protected)

    def fixing(self, tag: str) -> str | None:
        """Return the pattern that an immutable tag matches, or None."""
        return _match(tag, self.immutable)

    def keeping(self, tag: str) -> str | None:
        """Return the pattern of either kind that a tag matches, or None."""
        return self.fixing(tag) or self.protecting(tag)

    def check(self, tag: str, *, manages: bool) -> None:
        """Refuse to change a tag that is there.

        :param manages: whether whoever asks may manage the repository.
        :raises TagImmutable: when it stays what it is.
        :raises TagProtected: when it is protected from who asks.
        """
        if pattern := self.fixing(tag):
            raise TagImmutable(tag, pattern)
        if not manages and (pattern := self.protecting(tag)):
            raise TagProtected(tag, pattern)


#: Nothing is protected.
NOTHING: t.Final = Protection()


@dataclass(frozen=True, slots=True)
class Guard:
    """How far somebody may go who changes tags. What is laid down for the repository
    and its owner is looked up at the time."""

    site: Protection = NOTHING
    """What is protected everywhere."""

    manages: bool = False
    """Whether they may manage the repository."""

    repairs: bool = False
    """Whether a tag that points at nothing is taken away, whatever it is called."""


def patterns(texts: Iterable[str]) -> tuple[str, ...]:
    """Check patterns, and return each of them once.

    :raises ValueError: when one is none, or there are too many.
    """
    found = tuple(dict.fromkeys(texts))
    for text in found:
        if not isinstance(text, str) or not _PATTERN.fullmatch(text):
            raise ValueError(
                f"A pattern of tags is made of what tags are made of, '*' and '?',"
                f" and {text!r} is not."
            )
    if len(found) > MOST:
        raise ValueError(f"There may be {MOST} patterns in one place.")
    return found


def is_attached(tag: str) -> bool:
    """Tell whether a tag is only there to attach something to an image."""
    return _ATTACHED.fullmatch(tag) is not None


def subject_of(tag: str) -> str | None:
    """Return how the digest begins of what an attached tag is about, or None for
    another tag. Only one of sha512 has more digits."""
    return tag.partition(".")[0].replace("-", ":", 1) if is_attached(tag) else None


def _match(tag: str, among: Iterable[str]) -> str | None:
    if is_attached(tag):
        return None
    return next((pattern for pattern in among if fnmatchcase(tag, pattern)), None)
