"""The parts of a report."""

from __future__ import annotations

import base64
import binascii
import typing as t
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

from ...errors import ManifestInvalid
from ...spec.json_object import read_file_object
from .. import documents
from ..documents import Pairs
from ..messages import marked

#: The maximum number of packages, and of findings, of a report.
MAX_ROWS: t.Final = 5000

#: The severities of findings, the worst first.
SEVERITIES: t.Final = ("critical", "high", "medium", "low", "info")


class Package(t.NamedTuple):
    """A package of an SBOM."""

    name: str
    version: str
    kind: str
    """The type of the package, such as ``deb`` or ``pypi``; empty if it is unknown."""

    licenses: str


class Finding(t.NamedTuple):
    """A finding of a scanner."""

    severity: str
    """One of :data:`SEVERITIES`."""

    rule: str
    """The identifier of the rule or the vulnerability."""

    message: str
    place: str
    """The file and the line, or the package; may be empty."""

    published: str = ""
    """When the vulnerability was published, or an empty string."""


@dataclass(frozen=True, slots=True)
class Report:
    """The content of an attached file."""

    title: str
    """The format, such as ``SPDX``. It is not translated."""

    facts: Pairs = field(default_factory=list)
    """The labels, in English, and the values of the file's properties."""

    packages: list[Package] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    left_out: int = 0
    """The number of packages and findings beyond :data:`MAX_ROWS`."""

    is_scan: bool = False
    """Whether it has the results of a scanner, even if there are no findings."""

    scanner: str = ""
    """The name and the version of the scanner."""

    scanned_at: str = ""
    """When the scanner ran, as the file says; may be empty."""

    is_claim: bool = False
    """Whether it is a signature or an attestation, which nothing has verified."""

    def about(self, *facts: tuple[str, str]) -> Report:
        """Return the report with further facts before its own."""
        return replace(self, facts=present(*facts) + self.facts)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """The number of findings of each severity that has any, the worst first."""
        found = [finding.severity for finding in self.findings]
        return [(s, found.count(s)) for s in SEVERITIES if s in found]


#: The names of the severities.
SEVERITY_LABELS: t.Final = {
    "critical": marked("Critical"),
    "high": marked("High"),
    "medium": marked("Medium"),
    "low": marked("Low"),
    "info": marked("Note"),
}


def present(*facts: tuple[str, str]) -> Pairs:
    """Return the facts that have a value."""
    return [(label, value) for label, value in facts if value]


def joined(values: t.Iterable[str]) -> str:
    """Return the different values that are not empty, with commas."""
    return ", ".join(dict.fromkeys(value for value in values if value))


def decoded_object(value: object) -> dict[str, t.Any]:
    """Return the JSON object in a base64 text; empty if there is none.

    Both alphabets are accepted, with and without padding (RFC 4648; RFC 7515).
    """
    text = documents.text(value).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        return read_file_object(content)
    except (binascii.Error, ValueError, ManifestInvalid):
        return {}


def url_kind(purl: str) -> str:
    """Return the type of a package URL (purl), such as ``deb``; empty if there is
    none."""
    scheme, _, rest = purl.partition(":")
    kind = rest.lstrip("/").partition("/")[0]
    return kind[:32] if scheme == "pkg" else ""
