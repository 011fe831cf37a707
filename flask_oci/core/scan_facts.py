"""Facts about the results of a scan: the number of findings of each severity, and how
long they are known."""

from __future__ import annotations

import typing as t

from ..spec.rfc3339 import parse_time
from . import reports

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from .reports import Report


def scan_facts(fields: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """Return the facts of a scanner's file, or None if it is none.

    :param fields: the JSON object in the file.
    """
    report = reports.read(fields)
    return None if report is None or not report.is_scan else facts_of(report)


def facts_of(report: Report) -> dict[str, t.Any]:
    """Return the facts of the results of a scan, for JSON.

    ``counts`` and ``since`` have an entry for each severity with findings. ``since`` is
    the earliest time at which one of them was published, or None.
    """
    dates: dict[str, list[str]] = {}
    for finding in report.findings:
        dates.setdefault(finding.severity, []).append(finding.published)
    since = {severity: _earliest(texts) for severity, texts in dates.items()}
    at = parse_time(report.scanned_at)
    return {
        "format": report.title,
        "scanner": report.scanner[:200],
        "counts": dict(report.counts),
        "since": since,
        "scanned_at": None if at is None else at.isoformat(),
    }


def _earliest(texts: Iterable[str]) -> str | None:
    found = [at for text in texts if (at := parse_time(text)) is not None]
    return min(found).isoformat() if found else None
