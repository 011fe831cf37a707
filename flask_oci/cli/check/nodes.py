"""Checks of several processes and machines that serve one registry."""

from __future__ import annotations

import typing as t

from .findings import nodes as findings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ...catalog.nodes import NodeReport
    from .finding import Finding
    from .target import Target

#: The difference of clocks that is reported, in seconds.
MAX_CLOCK: t.Final = 5.0

#: The maximum number of settings that are named.
MAX_NAMED: t.Final = 10


def check(target: Target) -> Iterator[Finding]:
    """Compare the processes that served a request lately, and this one."""
    nodes = target.parts.catalog.nodes.recent()
    own = target.parts.node_reporter.current()
    yield from _keys([own, *nodes])
    yield from _settings([own, *nodes])
    for node in nodes:
        if abs(node.clock) > MAX_CLOCK:
            direction = "ahead" if node.clock > 0 else "behind"
            yield findings.CLOCKS_DIFFER.found(
                f"{node.host} is {abs(node.clock):.0f} seconds {direction}."
            )
    versions = sorted({node.version for node in nodes})
    if len(versions) > 1:
        yield findings.VERSIONS_DIFFER.found(f"They are {', '.join(versions)}.")
    yield from _machines(target, sorted({node.host for node in nodes}))


def _keys(nodes: list[NodeReport]) -> Iterator[Finding]:
    """Check that every process accepts the tokens that the others sign."""
    for signer in nodes:
        others = {node.host for node in nodes if signer.keys[0] not in node.keys}
        if others:
            yield findings.KEYS_DIFFER.found(
                f"A process on {signer.host} signs with a key that is unknown on"
                f" {', '.join(sorted(others))}."
            )


def _settings(nodes: list[NodeReport]) -> Iterator[Finding]:
    own, *others = nodes
    different: set[str] = set()
    hosts: set[str] = set()
    for node in others:
        # The fingerprints depend on the key, and a version may have other settings.
        if node.keys[0] != own.keys[0] or node.version != own.version:
            continue
        names = own.settings.keys() | node.settings.keys()
        wrong = {n for n in names if own.settings.get(n) != node.settings.get(n)}
        if wrong:
            different |= wrong
            hosts.add(node.host)
    if different:
        named = sorted(different)[:MAX_NAMED]
        yield findings.SETTINGS_DIFFER.found(
            f"{', '.join(named)}: here and on {', '.join(sorted(hosts))}."
        )


def _machines(target: Target, hosts: list[str]) -> Iterator[Finding]:
    if len(hosts) < 2:
        return
    found = f"They are {', '.join(hosts)}."
    settings = target.parts.catalog.database_settings.settings()
    if settings["dialect"] == "sqlite":
        yield findings.SQLITE_SHARED.found(found)
    if not target.parts.storage.has_locations:
        yield findings.DISK_SHARED.found(found)
