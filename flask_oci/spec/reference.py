"""Repository names, tags and references (spec.md, "Pull")."""

from __future__ import annotations

import re
import typing as t

from ..errors import ManifestInvalid
from ..errors import ManifestUnknown
from ..errors import NameInvalid
from .digest import Digest

#: "Throughout this document, `<name>` MUST match the following regular
#: expression" (spec.md, "Pulling manifests"). The groups do not capture, because a URL
#: rule contains the expression.
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
    """Return True if a text is a repository name of at most 255 characters."""
    # The length is checked first, so that the expression never runs on a long string.
    return len(text) <= NAME_MAX_LENGTH and _NAME.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Return True if a text is a tag (spec.md, "Pulling manifests")."""
    return _TAG.fullmatch(text) is not None


def check_name(text: str) -> str:
    """Return a valid repository name.

    :param text: the name as the client wrote it.
    :raises NameInvalid: if it is invalid.
    """
    if not is_name(text):
        raise NameInvalid(detail=text)
    return text


def check_tag(text: str) -> str:
    """Return a valid tag for a manifest that is pushed.

    :param text: the tag as the client wrote it.
    :raises ManifestInvalid: if it is invalid.
    """
    if not is_tag(text):
        raise ManifestInvalid(
            "A tag has at most 128 letters, digits, '_', '.' and '-', and does not"
            " begin with '.' or '-'.",
            detail=text,
        )
    return text


def parse_reference(text: str) -> Digest | str:
    """Return the tag or the digest of a request for a manifest.

    :param text: the ``<tag-or-digest>`` as the client wrote it.
    :return: a :class:`~flask_oci.spec.digest.Digest` if the text has a colon, because
        no tag has one; the tag otherwise.
    :raises DigestInvalid: if it has a colon and is not a digest.
    :raises ManifestUnknown: if it is not a valid tag, because no manifest can have such
        a tag.
    """
    if ":" in text:
        return Digest.parse(text)
    if not is_tag(text):
        raise ManifestUnknown(detail=text)
    return text


def split_image(text: str) -> tuple[str, str | None]:
    """Return the parts of ``<name>``, ``<name>:<tag>`` or ``<name>@<digest>``.

    :param text: the image as a user typed it.
    :return: the name, and the tag or digest if there is one. In
        ``<name>:<tag>@<digest>``, which clients print, the digest counts.
    :raises NameInvalid: if the name is invalid.
    """
    front, at, digest = text.partition("@")
    name, colon, tag = front.partition(":")
    return check_name(name), digest if at else tag if colon else None
