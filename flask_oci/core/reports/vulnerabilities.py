"""Vulnerabilities: the results of Trivy and Grype in their own JSON, and those in
CycloneDX documents."""

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

_NAMES: t.Final = {"negligible": "info", "none": "info", "unknown": "info"}


def severity_of(value: object) -> str:
    """Return one of :data:`SEVERITIES`; unknown names are notes."""
    name = documents.text(value).lower()
    name = _NAMES.get(name, name)
    return name if name in SEVERITIES else "info"


def scan_report(
    title: str, scanner: str, scanned_at: str, found: list[Finding]
) -> Report:
    """Return the report of a scan, with the worst findings first.

    :param title: the format.
    :param scanner: the name and the version of the scanner.
    :param scanned_at: when it ran, or an empty string.
    """
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Report(
        title,
        present(
            (marked("Created"), scanned_at),
            (marked("Created by"), scanner),
            (marked("Findings"), str(len(found))),
        ),
        findings=found[:MAX_ROWS],
        left_out=max(len(found) - MAX_ROWS, 0),
        is_scan=True,
        scanner=scanner,
        scanned_at=scanned_at,
    )


def read_trivy(fields: dict[str, t.Any]) -> Report | None:
    """Return the report of Trivy's JSON, or None if it is none."""
    if "SchemaVersion" not in fields or "ArtifactType" not in fields:
        return None
    found = [
        Finding(
            severity_of(entry.get("Severity")),
            documents.text(entry.get("VulnerabilityID")),
            documents.text(entry.get("Title")),
            _package(entry, "PkgName", "InstalledVersion"),
            documents.text(entry.get("PublishedDate")),
        )
        for result in documents.objects(fields.get("Results"), None)
        for entry in documents.objects(result.get("Vulnerabilities"), None)
    ]
    version = documents.text(documents.mapping(fields.get("Trivy")).get("Version"))
    at = documents.text(fields.get("CreatedAt"))
    return scan_report("Trivy", f"Trivy {version}".strip(), at, found)


def read_grype(fields: dict[str, t.Any]) -> Report | None:
    """Return the report of Grype's JSON, or None if it is none."""
    descriptor = documents.mapping(fields.get("descriptor"))
    if descriptor.get("name") != "grype" or not isinstance(fields.get("matches"), list):
        return None
    found = []
    for match in documents.objects(fields["matches"], None):
        entry = documents.mapping(match.get("vulnerability"))
        artifact = documents.mapping(match.get("artifact"))
        found.append(
            Finding(
                severity_of(entry.get("severity")),
                documents.text(entry.get("id")),
                documents.text(entry.get("description")),
                _package(artifact, "name", "version"),
            )
        )
    version = documents.text(descriptor.get("version"))
    at = documents.text(descriptor.get("timestamp"))
    return scan_report("Grype", f"Grype {version}".strip(), at, found)


def read_cyclonedx(fields: dict[str, t.Any], scanner: str) -> Report | None:
    """Return the report of the vulnerabilities of a CycloneDX document, or None if it
    has no list of them.

    :param scanner: the tools that wrote the document.
    """
    if not isinstance(fields.get("vulnerabilities"), list):
        return None
    found = []
    for entry in documents.objects(fields["vulnerabilities"], None):
        ratings = documents.objects(entry.get("ratings"))
        severities = [severity_of(rating.get("severity")) for rating in ratings]
        affected = documents.objects(entry.get("affects"))
        found.append(
            Finding(
                min(severities, key=SEVERITIES.index, default="info"),
                documents.text(entry.get("id")),
                documents.text(entry.get("description")),
                joined(documents.text(each.get("ref")) for each in affected),
                documents.text(entry.get("published")),
            )
        )
    metadata = documents.mapping(fields.get("metadata"))
    at = documents.text(metadata.get("timestamp"))
    return scan_report("CycloneDX", scanner, at, found)


def _package(fields: dict[str, t.Any], *keys: str) -> str:
    return " ".join(filter(None, (documents.text(fields.get(key)) for key in keys)))
