"""SBOMs in SPDX JSON (SPDX 2.2, 2.3 and 3.0)."""

from __future__ import annotations

import typing as t

from .. import documents
from ..messages import marked
from .base import joined
from .base import MAX_ROWS
from .base import Package
from .base import present
from .base import Report
from .base import url_kind

#: Values that state no licence.
_NO_LICENSE: t.Final = frozenset({"NOASSERTION", "NONE"})


def read(fields: dict[str, t.Any]) -> Report | None:
    """Return the report of an SPDX document, or None if it is none."""
    version = documents.text(fields.get("spdxVersion"))
    if version:
        return _read_2(fields, version)
    if "spdx.org" in documents.text(fields.get("@context")):
        return _read_3(fields)
    return None


def _read_2(fields: dict[str, t.Any], version: str) -> Report:
    info = documents.mapping(fields.get("creationInfo"))
    found = documents.objects(fields.get("packages"), None)
    return Report(
        "SPDX",
        present(
            (marked("Format"), version),
            (marked("Document"), documents.text(fields.get("name"))),
            (marked("Created"), documents.text(info.get("created"))),
            (marked("Created by"), joined(documents.texts(info.get("creators")))),
        ),
        packages=[_package(package) for package in found[:MAX_ROWS]],
        left_out=max(len(found) - MAX_ROWS, 0),
    )


def _package(fields: dict[str, t.Any]) -> Package:
    purls = (
        documents.text(reference.get("referenceLocator"))
        for reference in documents.objects(fields.get("externalRefs"))
        if reference.get("referenceType") == "purl"
    )
    stated = (
        documents.text(fields.get(key))
        for key in ("licenseConcluded", "licenseDeclared")
    )
    return Package(
        documents.text(fields.get("name")),
        documents.text(fields.get("versionInfo")),
        url_kind(next(purls, "")),
        next((value for value in stated if value and value not in _NO_LICENSE), ""),
    )


def _read_3(fields: dict[str, t.Any]) -> Report:
    elements = documents.objects(fields.get("@graph"), None)
    info = next((e for e in elements if e.get("type") == "CreationInfo"), {})
    found = [e for e in elements if e.get("type") == "software_Package"]
    return Report(
        "SPDX",
        present(
            (marked("Format"), documents.text(info.get("specVersion"))),
            (marked("Created"), documents.text(info.get("created"))),
        ),
        packages=[
            Package(
                documents.text(package.get("name")),
                documents.text(package.get("software_packageVersion")),
                url_kind(documents.text(package.get("software_packageUrl"))),
                "",
            )
            for package in found[:MAX_ROWS]
        ],
        left_out=max(len(found) - MAX_ROWS, 0),
    )
