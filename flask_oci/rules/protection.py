"""Tag protection: patterns of protected and immutable tags."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from fnmatch import fnmatchcase

from ..errors import Denied

#: The maximum number of patterns of one repository, of one owner or of a configuration
#: key.
MAX_PATTERNS: t.Final = 100

_PATTERN = re.compile(r"[A-Za-z0-9_.*?-]{1,128}", re.ASCII)

#: Tags by which clients attach artifacts to an image: cosign's signatures, attestations
#: and SBOMs, and the list of referrers (spec.md, "Referrers Tag Schema", which cuts a
#: digest to 64 digits). Clients push such a tag again for each addition. The expression
#: uses only syntax that Python and the databases share.
ATTACHED: t.Final = "^sha(256|512)-[0-9a-f]{64}([.](sig|att|sbom))?$"

_ATTACHED = re.compile(ATTACHED, re.ASCII)


class TagProtected(Denied):
    """The caller may not move or delete a protected tag."""

    def __init__(self, tag: str, pattern: str, scope: str = "") -> None:
        super().__init__(
            f"The tag {tag} is protected ({_by(pattern, scope)}): only users who may"
            " manage the repository can move or delete it. Push another tag or ask the"
            " owner.",
            detail=tag,
        )


class TagImmutable(Denied):
    """An immutable tag cannot be moved or deleted."""

    def __init__(self, tag: str, pattern: str, scope: str = "") -> None:
        super().__init__(
            f"The tag {tag} is immutable ({_by(pattern, scope)}): it cannot be moved or"
            " deleted. Push another tag.",
            detail=tag,
        )


@dataclass(frozen=True, slots=True)
class Protection:
    """Patterns of tags. ``*`` matches any text and ``?`` any one character."""

    protected: tuple[str, ...] = ()
    """Patterns of tags that only users who may manage the repository can move or
    delete."""

    immutable: tuple[str, ...] = ()
    """Patterns of tags that no user can move or delete as long as the pattern is
    set."""

    scope: str = field(default="", compare=False)
    """The path of the rule, such as ``website/*``; empty for another scope."""

    @classmethod
    def read(cls, value: dict[str, list[str]], scope: str = "") -> Protection:
        """Return the protection that a stored rule sets.

        :param value: lists of patterns under ``protected`` and ``immutable``.
        :param scope: the path of the rule; empty for another scope.
        """
        return cls(tuple(value["protected"]), tuple(value["immutable"]), scope)

    def __or__(self, other: Protection) -> Protection:
        return Protection(
            (*self.protected, *other.protected), (*self.immutable, *other.immutable)
        )

    def protected_by(self, tag: str) -> str | None:
        """Return the pattern that protects a tag, or None."""
        return _match(tag, self.protected)

    def immutable_by(self, tag: str) -> str | None:
        """Return the pattern that makes a tag immutable, or None."""
        return _match(tag, self.immutable)

    def pattern_of(self, tag: str) -> str | None:
        """Return the pattern that makes a tag immutable or protects it, or None."""
        return self.immutable_by(tag) or self.protected_by(tag)


def check_protections(
    protections: Iterable[Protection], tag: str, *, manages: bool
) -> None:
    """Check that the caller may move or delete an existing tag.

    :param protections: the protections of the site, the owner, the path and the
        repository, which all apply.
    :param manages: whether the caller may manage the repository.
    :raises TagImmutable: if the tag is immutable.
    :raises TagProtected: if the tag is protected and the caller may not manage the
        repository.
    """
    found = list(protections)
    for each in found:
        if pattern := each.immutable_by(tag):
            raise TagImmutable(tag, pattern, each.scope)
    for each in found:
        if not manages and (pattern := each.protected_by(tag)):
            raise TagProtected(tag, pattern, each.scope)


#: The protection without any pattern.
NOTHING: t.Final = Protection()


@dataclass(frozen=True, slots=True)
class Guard:
    """The permissions of a caller who changes tags. The catalog reads the protection of
    the repository and its owner in the transaction of the change."""

    site: Protection = NOTHING
    """The protection from the configuration, for all repositories."""

    manages: bool = False
    """Whether the caller may manage the repository."""

    repairs: bool = False
    """Whether the change removes a tag without a manifest, which no pattern
    prevents."""


def patterns(texts: Iterable[str]) -> tuple[str, ...]:
    """Return tag patterns, each of them once.

    :param texts: the patterns as a user or an operator wrote them.
    :raises ValueError: if a pattern is invalid, or if there are too many.
    """
    found = tuple(dict.fromkeys(texts))
    for text in found:
        if not isinstance(text, str) or not _PATTERN.fullmatch(text):
            raise ValueError(
                f"Invalid tag pattern {text!r}: use tag characters, '*' and '?'."
            )
    if len(found) > MAX_PATTERNS:
        raise ValueError(
            f"Too many tag patterns: {len(found)}. Use at most {MAX_PATTERNS}."
        )
    return found


def is_attached(tag: str) -> bool:
    """Return True if a client uses the tag to attach an artifact to an image."""
    return _ATTACHED.fullmatch(tag) is not None


def subject_of(tag: str) -> str | None:
    """Return the digest, up to 64 digits, that an attached tag names; None for another
    tag. Only a sha512 digest has more digits."""
    return tag.partition(".")[0].replace("-", ":", 1) if is_attached(tag) else None


def _match(tag: str, among: Iterable[str]) -> str | None:
    if is_attached(tag):
        return None
    return next((pattern for pattern in among if fnmatchcase(tag, pattern)), None)


def _by(pattern: str, scope: str) -> str:
    return f"by '{pattern}'" + (f" of {scope}" if scope else "")
