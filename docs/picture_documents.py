"""The attached files of the images in the screenshots: an SBOM, a scan report and a
provenance."""

from __future__ import annotations

import typing as t

SBOM: t.Final = {
    "spdxVersion": "SPDX-2.3",
    "name": "weather",
    "creationInfo": {
        "created": "2026-11-20T10:02:11Z",
        "creators": ["Organization: Anchore, Inc", "Tool: syft-1.18.0"],
    },
    "packages": [
        {
            "name": name,
            "versionInfo": version,
            "licenseDeclared": licenses,
            "externalRefs": [
                {
                    "referenceType": "purl",
                    "referenceLocator": f"pkg:{kind}/{name}@{version}",
                }
            ],
        }
        for name, version, kind, licenses in (
            ("ca-certificates", "20230311", "deb", "GPL-2.0-or-later AND MPL-2.0"),
            ("flask", "3.1.2", "pypi", "BSD-3-Clause"),
            ("gunicorn", "23.0.0", "pypi", "MIT"),
            ("libc6", "2.36-9+deb12u9", "deb", "LGPL-2.1-only"),
            ("openssl", "3.0.15-1~deb12u1", "deb", "Apache-2.0"),
            ("tzdata", "2025b-0+deb12u2", "deb", ""),
        )
    ],
}
SCAN: t.Final = {
    "version": "2.1.0",
    "runs": [
        {
            "tool": {"driver": {"name": "Trivy", "version": "0.57.0"}},
            "results": [
                {
                    "ruleId": "CVE-2026-0001",
                    "level": "error",
                    "message": {
                        "text": "Package: openssl\nInstalled version: 3.0.15"
                        "\nFixed version: 3.0.16"
                    },
                },
                {
                    "ruleId": "CVE-2026-0002",
                    "level": "warning",
                    "message": {"text": "Package: tzdata\nFixed version: none"},
                },
            ],
        }
    ],
}
PROVENANCE: t.Final = {
    "_type": "https://in-toto.io/Statement/v1",
    "predicateType": "https://slsa.dev/provenance/v1",
    "subject": [{"name": "weather", "digest": {"sha256": "9b6fe826a8df"}}],
    "predicate": {
        "buildDefinition": {"buildType": "https://forge.example.org/workflow/v1"},
        "runDetails": {
            "builder": {"id": "https://forge.example.org/builders/1"},
            "metadata": {
                "startedOn": "2026-11-20T10:00:12Z",
                "finishedOn": "2026-11-20T10:02:11Z",
            },
        },
    },
}

#: The attached files: the name, the artifact type and the content.
ATTACHED: t.Final[dict[str, tuple[str, str, object]]] = {
    "sbom": ("sbom.spdx.json", "application/spdx+json", SBOM),
    "scan": ("trivy.sarif", "application/sarif+json", SCAN),
    "provenance": ("provenance.json", "application/vnd.in-toto+json", PROVENANCE),
    "signature": ("", "application/vnd.dev.cosign.artifact.sig.v1+json", {}),
}
