"""Repository names, tags and references, as spec.md's section "Pull" has them."""

from __future__ import annotations

import re
import typing as t

from ..errors import ManifestInvalid
from ..errors import ManifestUnknown
from ..errors import NameInvalid
from .digest import Digest

#: "Throughout this document, `<name>` MUST match the following regular
#: expression" (spec.md, "Pulling manifests"). The groups do not capture, so
#: that the expression can be part of a URL rule.
NAME_PATTERN: t.Final = (
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
    r"(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
)

#: "Many clients impose a limit of 255 characters on the length of the
#: concatenation of the registry hostname (and optional port), `/`, and
#: `<name>` value."
NAME_MAX_LENGTH: t.Final = 255

_NAME = re.compile(NAME_PATTERN, re.ASCII)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)


def is_name(text: str) -> bool:
    """Tell whether ``text`` is a repository name of at most 255 characters."""
    # The length comes first so that no expression runs over a long string.
    return len(text) <= NAME_MAX_LENGTH and _NAME.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Tell whether ``text`` is a tag (spec.md, "Pulling manifests")."""
    return _TAG.fullmatch(text) is not None


def check_name(text: str) -> str:
    """Return ``text`` if it is a repository name.

    :raises NameInvalid: when it is not.
    """
    if not is_name(text):
        raise NameInvalid(detail=text)
    return text


def check_tag(text: str) -> str:
    """Return ``text`` if a manifest can be pushed under it as a tag.

    :raises ManifestInvalid: when it is no tag.
    """
    if not is_tag(text):
        raise ManifestInvalid(
            "A tag has at most 128 letters, digits, '_', '.' and '-', and does"
            " not begin with '.' or '-'.",
            detail=text,
        )
    return text


def parse_reference(text: str) -> Digest | str:
    """Read a ``<tag-or-digest>`` that something is looked up by.

    :return: a :class:`~flask_oci.digest.Digest` if there is a colon in it, for
        no tag has one, and the tag otherwise.
    :raises DigestInvalid: when it has a colon and is no digest.
    :raises ManifestUnknown: when it could not be a tag, since nothing can have
        been pushed under it.
    """
    if ":" in text:
        return Digest.parse(text)
    if not is_tag(text):
        raise ManifestUnknown(detail=text)
    return text


def split_image(text: str) -> tuple[str, str | None]:
    """Read ``<name>``, ``<name>:<tag>`` or ``<name>@<digest>``, as people type it.

    :return: the name, and the tag or digest if there is one. In
        ``<name>:<tag>@<digest>``, which clients print, the digest counts.
    :raises NameInvalid: when what stands in front is no repository name.
    """
    front, at, digest = text.partition("@")
    name, colon, tag = front.partition(":")
    return check_name(name), digest if at else tag if colon else None
