"""Checks of the issuers of identity tokens: whether their keys can be read."""

from __future__ import annotations

import typing as t

from ...auth.signed_tokens import LEEWAY
from .findings import publishers as findings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .finding import Finding
    from .target import Target


def check(target: Target) -> Iterator[Finding]:
    """Read the keys of each issuer, and find publishers without one."""
    config = target.parts.config
    removed = [
        issuer
        for issuer in target.parts.catalog.publishers.issuers()
        if issuer not in config.oidc_issuers
    ]
    if removed:
        yield findings.ISSUER_REMOVED.found(f"For example: {', '.join(removed[:5])}.")
    target.parts.catalog.release()
    if not config.oidc_issuers:
        return
    # It needs the extra "oidc".
    from ...auth.oidc.discovery import discover
    from ...auth.oidc.discovery import DiscoveryFailed

    problems, late = [], []
    for issuer in config.oidc_issuers.values():
        try:
            skew = discover(issuer, config.oidc_networks).clock_skew
        except DiscoveryFailed as failure:
            problems.append(str(failure))
        else:
            if skew is not None and abs(skew) > LEEWAY:
                late.append(f"{issuer.url}: {skew:+.0f} s.")
    if problems:
        yield findings.ISSUER_FAILS.found(" ".join(problems))
    if late:
        yield findings.ISSUER_CLOCK.found(" ".join(late))
