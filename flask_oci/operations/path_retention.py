"""A preview of retention in a path: what the rules would delete in its repositories."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..rules.paths import parse_path

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..rules.retention import RetentionDecision
    from ..rules.retention_rules import Rule
    from .retention import RetentionRunner

#: The maximum number of repositories in the preview of a page or over REST.
MAX_REPOSITORIES: t.Final = 50

#: The number of repositories that are read at once.
BATCH_SIZE: t.Final = 200


class PathPreview(t.NamedTuple):
    """The verdicts on the images of a path."""

    verdicts: list[RetentionDecision]
    """The verdicts, deletions first, each with its repository."""

    is_complete: bool
    """Whether all repositories were examined that the caller may see."""


def repositories_in(catalog: Catalog, path: str) -> Iterator[RepositoryInfo]:
    """Yield the repositories of a path that have a manifest, ordered by name.

    :param path: the path, such as ``website/*``.
    """
    condition, last = catalog.repositories.path_filter(parse_path(path)), None
    while True:
        batch = catalog.repository_list.with_manifests(BATCH_SIZE, last, condition)
        yield from batch
        if len(batch) < BATCH_SIZE:
            return
        last = batch[-1].name


def preview_path(
    runner: RetentionRunner,
    catalog: Catalog,
    path: str,
    *,
    rules: t.Sequence[Rule] | None = None,
    owner_id: t.Any = None,
    may_see: Callable[[RepositoryInfo], bool] = lambda _: True,
    limit: int | None = MAX_REPOSITORIES,
) -> PathPreview:
    """Return the verdicts on the images of a path: deleted or kept now, and why.

    :param path: the path, such as ``website/*``.
    :param rules: rules to try for the path; None previews the rules that are set, those
        of repositories and of longer paths included.
    :param owner_id: the owner whose repositories the rules would apply to; None is each
        owner.
    :param may_see: returns True if the caller may see a repository.
    :param limit: the maximum number of repositories; None is no limit.
    """
    stored, found, count = parse_path(path), list["RetentionDecision"](), 0
    for repository in repositories_in(catalog, path):
        if not may_see(repository):
            continue
        count += 1
        if limit is not None and count > limit:
            break
        tried = rules
        if rules is not None:
            held = catalog.rules.holding("retain", repository.key)
            is_other = owner_id is not None and repository.owner_id != owner_id
            if held.own is not None or len(held.path or "") > len(stored) or is_other:
                tried = None
        verdicts = runner.of(repository, dry_run=True, rules=tried)
        found += [replace(each, repository=repository.name) for each in verdicts]
    is_complete = limit is None or count <= limit
    return PathPreview(sorted(found, key=lambda each: not each.deleted), is_complete)
