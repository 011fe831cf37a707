"""Verdicts of image policies on the results of scans."""

from __future__ import annotations

import typing as t

from ..rules.wording import plural
from ..spec.rfc3339 import parse_time

if t.TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ..catalog.attachments import AttachmentFacts
    from ..rules.image_policy import PolicyRule


def scan_verdict(
    rule: PolicyRule, found: Sequence[AttachmentFacts], now: datetime
) -> tuple[bool, str]:
    """Return True if there is a scan that is new enough, and the reason.

    :param found: the results of the users that the rule names, the newest first.
    """
    names = " or ".join(rule.names)
    if not found:
        return False, f"it has no scan by {names}"
    newest = max(found, key=_scanned_at)
    age = now - _scanned_at(newest)
    said = f"scanned {plural(max(age.days, 0), 'day')} ago by {newest.attached_by}"
    return rule.age is None or age <= rule.age, said


def severity_verdict(
    rule: PolicyRule, found: Sequence[AttachmentFacts], now: datetime
) -> tuple[bool, str]:
    """Return False if the last scan by one of the users has findings that the rule
    refuses, and the reason.

    :param found: the results of the users that the rule names, the newest first.
    """
    latest: dict[tuple[str, str], AttachmentFacts] = {}
    for each in found:
        latest.setdefault((each.subject, each.attached_by), each)
    for each in latest.values():
        for severity in rule.severities:
            count = each.facts["counts"].get(severity, 0)
            since = _known_since(severity, found, each)
            if count and (rule.age is None or now - since >= rule.age):
                return False, (
                    f"{plural(count, f'{severity} finding')}, known for"
                    f" {plural(max((now - since).days, 0), 'day')}"
                )
    if not found:
        return True, "it has no scan"
    return True, f"no finding is {rule.severity} or worse, or old enough"


def _scanned_at(found: AttachmentFacts) -> datetime:
    """Return when a scan ran: no later than its results were attached."""
    claimed = parse_time(found.facts.get("scanned_at"))
    return found.attached_at if claimed is None else min(claimed, found.attached_at)


def _known_since(
    severity: str, found: Sequence[AttachmentFacts], latest: AttachmentFacts
) -> datetime:
    """Return since when findings of a severity are known: since the publication of one
    of them, or since the first scan by the same user that found one."""
    published = parse_time((latest.facts.get("since") or {}).get(severity))
    times = [
        _scanned_at(each)
        for each in found
        if each.subject == latest.subject
        and each.attached_by == latest.attached_by
        and each.facts["counts"].get(severity)
    ]
    return min(filter(None, [published, *times]), default=latest.attached_at)
