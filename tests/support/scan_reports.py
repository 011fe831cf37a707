"""Results of scanners, in the shape in which Trivy and Grype write them, with one
critical finding and one that is low or negligible."""

from __future__ import annotations

import typing as t

CRITICAL = "CVE-2026-1001"
LOW = "CVE-2020-2002"
SCANNED_AT = "2026-11-20T06:00:00Z"

#: The reports by their formats, each with the media type that ``oras attach`` sends.
REPORTS: dict[str, tuple[str, dict[str, t.Any]]] = {}


def _trivy(identifier: str, severity: str, published: str) -> dict[str, t.Any]:
    return {
        "VulnerabilityID": identifier,
        "PkgID": "libexample@1.2.3-r0",
        "PkgName": "libexample",
        "PkgIdentifier": {"PURL": "pkg:apk/alpine/libexample@1.2.3-r0"},
        "InstalledVersion": "1.2.3-r0",
        "FixedVersion": "1.2.4-r0",
        "Status": "fixed",
        "SeveritySource": "nvd",
        "PrimaryURL": f"https://avd.aquasec.com/nvd/{identifier.lower()}",
        "Title": "libexample: a hole",
        "Severity": severity,
        "CVSS": {"nvd": {"V3Score": 9.8}},
        "PublishedDate": published,
    }


REPORTS["Trivy"] = (
    "application/vnd.aquasec.trivy.report+json",
    {
        "SchemaVersion": 2,
        "ReportID": "0197d5e2-0000-7000-8000-000000000000",
        "CreatedAt": SCANNED_AT,
        "ArtifactName": "forge.example.org/website/app:1.0",
        "ArtifactType": "container_image",
        "Metadata": {"OS": {"Family": "alpine", "Name": "3.22.1"}},
        "Results": [
            {"Target": "app (alpine 3.22.1)", "Class": "os-pkgs", "Type": "alpine"},
            {
                "Target": "requirements.txt",
                "Class": "lang-pkgs",
                "Type": "pip",
                "Vulnerabilities": [
                    _trivy(LOW, "LOW", "2020-02-02T08:15:00Z"),
                    _trivy(CRITICAL, "CRITICAL", "2026-11-19T08:15:00Z"),
                ],
            },
        ],
        "Trivy": {"Version": "0.68.1"},
    },
)


def _grype(identifier: str, severity: str) -> dict[str, t.Any]:
    return {
        "vulnerability": {
            "id": identifier,
            "dataSource": f"https://nvd.nist.gov/vuln/detail/{identifier}",
            "namespace": "nvd:cpe",
            "severity": severity,
            "urls": [],
            "description": "a hole in libexample",
            "cvss": [{"source": "nvd", "metrics": {"baseScore": 9.8}}],
            "fix": {"versions": ["1.2.4"], "state": "fixed"},
            "advisories": [],
            "risk": 96.2,
        },
        "relatedVulnerabilities": [],
        "matchDetails": [{"type": "cpe-match", "matcher": "stock-matcher"}],
        "artifact": {
            "id": "a246fd2054833c93",
            "name": "libexample",
            "version": "1.2.3",
            "type": "python",
            "locations": [{"path": "/app/requirements.txt"}],
            "purl": "pkg:pypi/libexample@1.2.3",
        },
    }


REPORTS["Grype"] = (
    "application/vnd.anchore.grype.report+json",
    {
        "matches": [_grype(LOW, "Negligible"), _grype(CRITICAL, "Critical")],
        "source": {"type": "image", "target": {"userInput": "app:1.0"}},
        "distro": {"name": "alpine", "version": "3.22.1", "idLike": []},
        "descriptor": {
            "name": "grype",
            "version": "0.104.0",
            "timestamp": "2026-11-20T07:00:00.123456789+01:00",
        },
    },
)


def _sarif_rule(identifier: str, score: str, severity: str) -> dict[str, t.Any]:
    return {
        "id": identifier,
        "name": "LanguageSpecificPackageVulnerability",
        "shortDescription": {"text": "libexample: a hole"},
        "defaultConfiguration": {"level": "error"},
        "helpUri": f"https://avd.aquasec.com/nvd/{identifier.lower()}",
        "properties": {
            "precision": "very-high",
            "security-severity": score,
            "tags": ["vulnerability", "security", severity],
        },
    }


def _sarif_result(identifier: str, index: int, level: str) -> dict[str, t.Any]:
    place = {"artifactLocation": {"uri": "app", "uriBaseId": "ROOTPATH"}}
    return {
        "ruleId": identifier,
        "ruleIndex": index,
        "level": level,
        "message": {"text": f"Package: libexample\nVulnerability {identifier}"},
        "locations": [{"physicalLocation": place, "message": {"text": "app"}}],
    }


REPORTS["SARIF"] = (
    "application/sarif+json",
    {
        "version": "2.1.0",
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "fullName": "Trivy Vulnerability Scanner",
                        "name": "Trivy",
                        "version": "0.68.1",
                        "rules": [
                            _sarif_rule(LOW, "2.0", "LOW"),
                            _sarif_rule(CRITICAL, "9.8", "CRITICAL"),
                        ],
                    }
                },
                "results": [
                    _sarif_result(LOW, 0, "note"),
                    _sarif_result(CRITICAL, 1, "error"),
                ],
                "columnKind": "utf16CodeUnits",
            }
        ],
    },
)


def _cyclonedx(identifier: str, severity: str) -> dict[str, t.Any]:
    return {
        "bom-ref": f"urn:uuid:{identifier}",
        "id": identifier,
        "source": {"name": "nvd", "url": f"https://nvd.nist.gov/vuln/{identifier}"},
        "ratings": [
            {"score": 9.8, "severity": severity, "method": "CVSSv31"},
            {"source": {"name": "FIRST"}, "score": 0.08, "method": "other"},
        ],
        "description": "a hole in libexample",
        "affects": [{"ref": "pkg:pypi/libexample@1.2.3"}],
    }


REPORTS["CycloneDX"] = (
    "application/vnd.cyclonedx+json",
    {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": SCANNED_AT,
            "tools": {"components": [{"type": "application", "name": "grype"}]},
            "component": {"type": "container", "name": "app"},
        },
        "components": [
            {
                "bom-ref": "pkg:pypi/libexample@1.2.3",
                "type": "library",
                "name": "libexample",
                "version": "1.2.3",
                "purl": "pkg:pypi/libexample@1.2.3",
            }
        ],
        "vulnerabilities": [_cyclonedx(LOW, "low"), _cyclonedx(CRITICAL, "critical")],
    },
)
