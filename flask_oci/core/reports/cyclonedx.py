"""SBOMs in CycloneDX JSON."""

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
from .vulnerabilities import read_cyclonedx


def read(fields: dict[str, t.Any]) -> Report | None:
    """Return the report of a CycloneDX document, or None if it is none."""
    if fields.get("bomFormat") != "CycloneDX":
        return None
    metadata = documents.mapping(fields.get("metadata"))
    component = documents.mapping(metadata.get("component"))
    found = _components(fields)
    scan = read_cyclonedx(fields, _tools(metadata.get("tools")))
    if scan is not None and not found:
        return scan
    return Report(
        "CycloneDX",
        present(
            (marked("Format"), documents.text(fields.get("specVersion"))),
            (marked("Document"), documents.text(component.get("name"))),
            (marked("Created"), documents.text(metadata.get("timestamp"))),
            (marked("Created by"), _tools(metadata.get("tools"))),
        ),
        packages=[_package(component) for component in found[:MAX_ROWS]],
        findings=scan.findings if scan else [],
        left_out=max(len(found) - MAX_ROWS, 0) + (scan.left_out if scan else 0),
        is_scan=scan is not None,
        scanner=scan.scanner if scan else "",
        scanned_at=scan.scanned_at if scan else "",
    )


def _components(fields: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return the components, each followed by those within it."""
    found, waiting = [], documents.objects(fields.get("components"), None)[::-1]
    while waiting:
        component = waiting.pop()
        found.append(component)
        waiting += documents.objects(component.get("components"), None)[::-1]
    return found


def _package(fields: dict[str, t.Any]) -> Package:
    group, name = (documents.text(fields.get(key)) for key in ("group", "name"))
    return Package(
        f"{group}/{name}" if group else name,
        documents.text(fields.get("version")),
        url_kind(documents.text(fields.get("purl")))
        or documents.text(fields.get("type")),
        joined(_license(entry) for entry in documents.objects(fields.get("licenses"))),
    )


def _license(entry: dict[str, t.Any]) -> str:
    named = documents.mapping(entry.get("license"))
    values = (entry.get("expression"), named.get("id"), named.get("name"))
    return next((text for text in map(documents.text, values) if text), "")


def _tools(value: object) -> str:
    """Return the tools that wrote the document: a list, or an object with a list since
    version 1.5."""
    if isinstance(value, dict):
        value = value.get("components")
    return joined(
        f"{documents.text(tool.get('name'))} {documents.text(tool.get('version'))}"
        for tool in documents.objects(value)
    )
