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

#: The number of repositories that are read at once if the registry has to decide about
#: each.
BATCH_SIZE: t.Final = 1000

#: The maximum number of batches for one page whose next page can begin at any entry.
MAX_BATCHES: t.Final = 5

Entry = t.TypeVar("Entry")


def list_filter() -> Condition | None:
    """Return the database condition for the repositories that the caller may pull.

    None means that the policy decides about each. It is then asked about all of a list,
    also about those that the caller does not search for. Otherwise the number of its
    calls, and their time, would tell whether a hidden repository matches the search.
    """
    return services().policy.list_filter(principal().caller)


def readable_repositories(
    limit: int,
    condition: Condition | None,
    read: Callable[[int, Entry | None], Sequence[Entry]],
    repository_of: Callable[[Entry], RepositoryInfo],
    matches: Callable[[str], bool],
) -> tuple[list[Entry], Entry | None]:
    """Return the first repositories of a list that the caller may pull from.

    If the policy has a condition for the database, and the caller's credential has no
    limit, one statement is enough.

    :param limit: the number of repositories to return at most.
    :param condition: the result of :func:`list_filter`.
    :param read: reads a page of the list, given the number of entries to read at most
        and the entry to begin after (None for the first page). If there is a condition,
        the database applies it and the caller's search. If not, it applies neither.
    :param repository_of: returns the repository of an entry.
    :param matches: returns True if a name matches the caller's search.
    :return: the repositories, and the last entry that was read if the list may continue
        after it.
    """
    is_exact = condition is not None and principal().limit is None
    # The caller may be unable to read most of a page, so a small limit would need
    # many statements. The caller does not choose where a batch ends.
    return first_entries(
        limit,
        limit if is_exact else BATCH_SIZE,
        read,
        lambda e: is_exact or _is_found(repository_of(e), condition, matches),
        None,
    )


def first_entries(
    limit: int,
    size: int,
    read: Callable[[int, Entry | None], Sequence[Entry]],
    is_found: Callable[[Entry], bool],
    max_batches: int | None,
) -> tuple[list[Entry], Entry | None]:
    """Return the first entries of a list that pass a check.

    :param limit: the number of entries to return at most.
    :param size: the number of entries to read at once.
    :param read: as in :func:`readable_repositories`.
    :param is_found: the check, which may ask the policy.
    :param max_batches: the maximum number of batches; None sets no limit.
    :return: the entries, and the last one that was read if the list may continue after
        it.
    """
    found: list[Entry] = []
    previous, batches = None, 0
    while len(found) < limit and (max_batches is None or batches < max_batches):
        page = read(size, previous)
        found += [entry for entry in page if is_found(entry)]
        if len(page) < size:
            return found[:limit], None
        previous, batches = page[-1], batches + 1
    return found[:limit], previous


def _is_found(
    repository: RepositoryInfo,
    condition: Condition | None,
    matches: Callable[[str], bool],
) -> bool:
    """Return True if a repository of a page is in the caller's list.

    :param condition: the condition that the page was read with.
    """
    if condition is None:
        return may("pull", repository) and matches(repository.name)
    # The condition is the policy's answer. The credential may still be limited.
    return principal().credential_allows("pull", repository.name)
