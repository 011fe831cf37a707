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
    """Send a request to each upstream."""
    cache = target.parts.upstreams
    if cache is None:
        return
    target.parts.catalog.release()
    problems = []
    for namespace, upstream in sorted(target.parts.config.upstreams.items()):
        try:
            cache.client(upstream).check()
        except UpstreamFailed as failure:
            problems.append(f"{namespace}: {failure.reason}")
    if problems:
        yield findings.UPSTREAM_FAILS.found(" ".join(problems))
