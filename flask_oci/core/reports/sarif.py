"""Findings of scanners in SARIF (Static Analysis Results Interchange Format 2.1.0)."""

from __future__ import annotations

import typing as t

from .. import documents
from ..messages import marked
from .base import Finding
from .base import joined
from .base import MAX_ROWS
from .base import present
from .base import Report
from .base import SEVERITIES

#: The severities of the levels (section 3.27.10).
_LEVELS: t.Final = {"error": "high", "warning": "medium", "note": "low", "none": "info"}

#: The least scores of the severities. Scanners write the CVSS score of a vulnerability
#: into the property "security-severity" of its rule.
_SCORES: t.Final = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))


def read(fields: dict[str, t.Any]) -> Report | None:
    """Return the report of a SARIF log, or None if it is none."""
    if not isinstance(fields.get("runs"), list):
        return None
    runs = documents.objects(fields["runs"])
    drivers = [_driver(run) for run in runs]
    found = [
        _finding(result, rules)
        for run, rules in zip(runs, map(_rules, drivers), strict=True)
        for result in documents.objects(run.get("results"), None)
    ]
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    tools = [" ".join(_present_texts(driver, "name", "version")) for driver in drivers]
    return Report(
        "SARIF",
        present(
            (marked("Format"), documents.text(fields.get("version"))),
            (marked("Created by"), joined(tools)),
            (marked("Findings"), str(len(found))),
        ),
        findings=found[:MAX_ROWS],
        left_out=max(len(found) - MAX_ROWS, 0),
        is_scan=True,
        scanner=joined(tools),
        scanned_at=_ended_at(runs),
    )


def _ended_at(runs: list[dict[str, t.Any]]) -> str:
    """Return the end of the first run that states it (section 3.20.8)."""
    for run in runs:
        for invocation in documents.objects(run.get("invocations"))[:1]:
            return documents.text(invocation.get("endTimeUtc"))
    return ""


def _present_texts(fields: dict[str, t.Any], *keys: str) -> list[str]:
    """Return the texts of some properties, without empty ones."""
    return [text for key in keys if (text := documents.text(fields.get(key)))]


def _driver(run: dict[str, t.Any]) -> dict[str, t.Any]:
    return documents.mapping(documents.mapping(run.get("tool")).get("driver"))


def _rules(driver: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    rules = documents.objects(driver.get("rules"), None)
    return {documents.text(rule.get("id")): rule for rule in rules}


def _finding(result: dict[str, t.Any], rules: dict[str, dict[str, t.Any]]) -> Finding:
    identifier = documents.text(result.get("ruleId"))
    rule = rules.get(identifier, {})
    message = documents.mapping(result.get("message"))
    return Finding(
        _severity(result, rule),
        identifier,
        documents.text(message.get("text")),
        _place(result),
    )


def _severity(result: dict[str, t.Any], rule: dict[str, t.Any]) -> str:
    properties = documents.mapping(rule.get("properties"))
    try:
        score = float(documents.text(properties.get("security-severity")))
    except ValueError:
        score = 0.0
    for least, severity in _SCORES:
        if score >= least:
            return severity
    default = documents.mapping(rule.get("defaultConfiguration")).get("level")
    level = documents.text(result.get("level")) or documents.text(default)
    return _LEVELS.get(level, "medium")


def _place(result: dict[str, t.Any]) -> str:
    for location in documents.objects(result.get("locations"))[:1]:
        physical = documents.mapping(location.get("physicalLocation"))
        artifact = documents.mapping(physical.get("artifactLocation"))
        line = documents.mapping(physical.get("region")).get("startLine")
        path = documents.text(artifact.get("uri"))
        # bool is a subclass of int.
        return f"{path}:{line}" if type(line) is int and path else path
    return ""
