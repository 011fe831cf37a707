"""Attached files as reports: SBOMs, findings of scanners, attestations, signatures.

A report has bounded lists of texts, which a page shows as text. The format of a file
follows from its content, because clients attach the same format with different media
types. Nothing is verified, fetched or decompressed.
"""

from __future__ import annotations

import typing as t

from . import attestations
from . import cyclonedx
from . import sarif
from . import signatures
from . import spdx
from . import syft
from . import vulnerabilities
from .base import Finding
from .base import Package
from .base import Report

if t.TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Finding", "Package", "Report", "read"]

_FORMATS: t.Final[tuple[Callable[[dict[str, t.Any]], Report | None], ...]] = (
    spdx.read,
    cyclonedx.read,
    syft.read,
    sarif.read,
    vulnerabilities.read_trivy,
    vulnerabilities.read_grype,
    attestations.read_statement,
    attestations.read_envelope,
    signatures.read_bundle,
    signatures.read_cosign,
    signatures.read_notation,
)


def read(fields: dict[str, t.Any]) -> Report | None:
    """Return the report of a file, or None if its format is unknown.

    :param fields: the JSON object in the file.
    """
    for read_format in _FORMATS:
        report = read_format(fields)
        if report is not None:
            return report
    return None
