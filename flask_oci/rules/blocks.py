"""Blocks: digests that no client may pull or push."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from ..errors import Denied
from .paths import covers

#: The maximum length of a reason, in characters.
MAX_REASON: t.Final = 500


class Blocked(Denied):
    """A digest that is blocked in a repository."""

    def __init__(self, digest: str, reason: str) -> None:
        super().__init__(f"{digest} is blocked: {reason}", detail=digest)


class Ban(t.NamedTuple):
    """The scope of a block, and its reason."""

    digest: str

    repository_id: int | None
    """The key of the only repository, or None if the block is for a path."""

    path: str | None
    """The path as the database stores it, or None if the block is for a repository."""

    reason: str

    def applies_to(self, repository_id: int | None, name: str) -> bool:
        """Return True if the block applies to a repository.

        :param repository_id: the key of the repository, or None if it does not exist.
        :param name: its name.
        """
        if self.path is not None:
            return covers(self.path, name)
        return self.repository_id == repository_id


def check_bans(bans: Iterable[Ban], repository_id: int | None, name: str) -> None:
    """Check that content is not blocked in a repository.

    :param bans: the blocks of the digests of the content, whether or not they apply.
    :param repository_id: the key of the repository, or None if it does not exist.
    :param name: its name.
    :raises Blocked: if one of the blocks applies.
    """
    for ban in bans:
        if ban.applies_to(repository_id, name):
            raise Blocked(ban.digest, ban.reason)


def check_reason(text: str) -> str:
    """Return the reason of a block without surrounding space.

    :param text: the reason as the user wrote it.
    :raises ValueError: if it is empty, too long or has control characters.
    """
    reason = text.strip()
    if not reason or len(reason) > MAX_REASON or not reason.isprintable():
        raise ValueError(
            f"The reason of a block is one line of 1 to {MAX_REASON} characters, which"
            " clients print."
        )
    return reason
