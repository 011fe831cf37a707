"""Digests at the command line: users may type their first digits."""

from __future__ import annotations

import re
import typing as t

import click

from ..services import services
from ..spec.digest import Digest
from ..spec.digest import is_digest
from ..spec.reference import split_image
from ..transfer.remote.address import parse_address

#: The first digits of a digest, with or without its algorithm. Output that is copied
#: may end with an ellipsis.
_PREFIX: t.Final = re.compile(
    r"(?:(sha256|sha512):)?([0-9a-f]{4,128})(?:…|\.\.\.)?", re.ASCII
)

#: The number of matching digests that an error lists.
_SHOWN: t.Final = 5

#: The number of digits of a short digest, as on pages and in Docker.
_LENGTH: t.Final = 12

Find = t.Callable[[str | None, str, int], list[str]]


def short(digest: str) -> str:
    """Return the first digits of a digest; any other text is unchanged."""
    return digest.partition(":")[2][:_LENGTH] if is_digest(digest) else digest


def whole_image(text: str, *, remote: bool = False) -> str:
    """Return an image with its whole digest.

    :param text: the image as a user typed it; its digest may be a unique prefix.
    :param remote: whether the text may name an image of another registry, whose
        digests must be whole.
    :raises click.ClickException: if the prefix is invalid, unknown or ambiguous.
    :raises NameUnknown: if there is no such repository.
    """
    front, at, typed = text.partition("@")
    if not at or is_digest(typed):
        return text
    if remote and parse_address(front).host is not None:
        return text
    repository = services().administration.find(split_image(front)[0])
    prefixes = services().catalog.digest_prefixes
    digest = _only(
        typed,
        f"manifest of {repository.name}",
        lambda *found: prefixes.manifests(repository.key, *found),
    )
    return f"{front}@{digest}"


def whole_digest(typed: str) -> Digest:
    """Return the digest of a blob or of a manifest in any repository.

    :param typed: the digest or a unique prefix.
    :raises click.ClickException: if the prefix is invalid, unknown or ambiguous.
    """
    if not is_digest(typed):
        find = services().catalog.digest_prefixes.content
        typed = _only(typed, "blob or manifest", find)
    return Digest.parse(typed)


def _only(typed: str, kind: str, find: Find) -> str:
    match = _PREFIX.fullmatch(typed)
    if match is None:
        raise click.ClickException(
            f"Invalid digest {typed!r}: type it whole, or at least its first 4"
            " hexadecimal digits."
        )
    found = find(match[1], match[2], _SHOWN + 1)
    if not found:
        raise click.ClickException(f"There is no {kind} with the digest {typed}.")
    if len(found) > 1:
        more = ["…"] if len(found) > _SHOWN else []
        raise click.ClickException(
            f"The digest {typed} is ambiguous. Type more digits of one of these:\n  "
            + "\n  ".join(found[:_SHOWN] + more)
        )
    return found[0]
