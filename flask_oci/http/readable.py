"""The list of repositories that the caller may pull from."""

from __future__ import annotations

import typing as t

from ..services import principal
from ..services import services
from .authorization import may

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    from ..catalog import Condition
    from ..catalog import RepositoryInfo

#: The number of repositories that are read at once if the policy has to be asked
#: about each.
BATCH_SIZE: t.Final = 1000

Entry = t.TypeVar("Entry")


def readable_repositories(
    limit: int,
    read: Callable[[int, Entry | None, Condition | None], Sequence[Entry]],
    repository_of: Callable[[Entry], RepositoryInfo],
) -> list[Entry]:
    """Return the first repositories of a list that the caller may pull from.

    If the policy has a condition for the database, and the caller's credential has no
    limit, one statement is enough.

    :param limit: the number of repositories to return at most.
    :param read: reads a page of the list, given the number of entries to read at most,
        the entry to begin after (None for the first page) and the condition that
        entries have to fulfil (None for all).
    :param repository_of: returns the repository of an entry.
    """
    condition = services().policy.list_filter(principal().user)
    is_exact = condition is not None and principal().limit is None
    # The caller may be unable to read most of a page, so a small limit would need
    # many statements.
    size = limit if is_exact else max(limit, BATCH_SIZE)
    found: list[Entry] = []
    previous = None
    while len(found) < limit:
        page = read(size, previous, condition)
        found += [
            e for e in page if is_exact or _is_readable(repository_of(e), condition)
        ]
        if len(page) < size:
            break
        previous = page[-1]
    return found[:limit]


def _is_readable(repository: RepositoryInfo, condition: Condition | None) -> bool:
    """Return True if the caller may pull from a repository of a page.

    :param condition: the condition that the page was read with.
    """
    if condition is None:
        return may("pull", repository)
    # The condition is the policy's answer. The credential may still be limited.
    return principal().credential_allows("pull", repository.name)
