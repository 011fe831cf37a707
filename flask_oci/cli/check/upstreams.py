"""Checks of the upstreams: whether each answers and accepts the credentials."""

from __future__ import annotations

import typing as t

from ...upstreams.failures import UpstreamFailed
from .findings import upstreams as findings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .finding import Finding
    from .target import Target


def check(target: Target) -> Iterator[Finding]:
    """Send a request to each upstream, and find repositories in its namespace."""
    cache = target.parts.upstreams
    if cache is None:
        return
    yield from _check_namespaces(target)
    target.parts.catalog.release()
    problems = []
    for namespace, upstream in sorted(target.parts.config.upstreams.items()):
        try:
            cache.client(upstream).check()
        except UpstreamFailed as failure:
            problems.append(f"{namespace}: {failure.reason}")
    if problems:
        yield findings.UPSTREAM_FAILS.found(" ".join(problems))


def _check_namespaces(target: Target) -> Iterator[Finding]:
    """Find repositories of users in the namespaces of upstreams."""
    repositories = target.parts.catalog.repositories
    taken = [
        f"{found[0].name} ({len(found)} in {namespace})"
        for namespace in sorted(target.parts.config.upstreams)
        if (found := [r for r in repositories.all_below(namespace) if not r.upstream])
    ]
    if taken:
        yield findings.NAMESPACE_TAKEN.found(f"For example: {', '.join(taken)}.")
