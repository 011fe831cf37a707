"""Findings, their types and the report of a check."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

Severity = t.Literal["error", "warning", "note"]

#: The meaning of each severity, the most severe first.
SEVERITIES: t.Final[dict[Severity, str]] = {
    "error": "Docker cannot work, or access control is broken",
    "warning": "Works now, but will fail in some situations",
    "note": "For information",
}

#: The labels of the keys of :attr:`FindingType.remedies`.
PLACES: t.Final = {
    "python": "In the application",
    "command": "On the command line",
    "nginx": "nginx",
    "apache": "Apache",
    "caddy": "Caddy",
    "traefik": "Traefik",
    "sqlite": "In the application, with SQLite",
    "postgresql": "In PostgreSQL",
    "mariadb": "In MariaDB",
}


@dataclass(frozen=True)
class FindingType:
    """A problem that a check can report."""

    code: str
    """A stable identifier."""

    severity: Severity
    title: str
    """The problem in general."""

    why: str
    """The effect on docker, or on a user."""

    remedies: dict[str, str] = field(default_factory=dict)
    """The lines to write, by a key of :data:`PLACES`."""

    def found(
        self, detail: str, *places: str, lines: dict[str, str] | None = None
    ) -> Finding:
        """Return a finding of this type.

        :param detail: a sentence about the checked application.
        :param places: the keys of the remedies that apply to it; by default all.
        :param lines: the remedies, if they depend on the application.
        """
        return Finding(self, detail, places=places, lines=lines or {})


@dataclass(frozen=True)
class Finding:
    """A problem of the checked application."""

    type: FindingType
    detail: str
    """A sentence about the checked application."""

    url: str = ""
    """The address that shows the problem; empty for the application itself."""

    places: tuple[str, ...] = ()
    """The keys of the remedies that apply; empty for all."""

    lines: dict[str, str] = field(default_factory=dict)
    """The remedies for this application; empty for those of the type."""

    @property
    def remedies(self) -> dict[str, str]:
        """The lines to write, by a key of :data:`PLACES`."""
        every = self.lines or self.type.remedies
        return {place: every[place] for place in self.places or every}

    def as_fields(self) -> dict[str, t.Any]:
        """Return the finding as a JSON object."""
        return {
            "code": self.type.code,
            "severity": self.type.severity,
            "title": self.type.title,
            "detail": self.detail,
            "url": self.url,
            "why": self.type.why,
            "remedies": self.remedies,
        }


@dataclass
class Report:
    """The result of a check."""

    findings: list[Finding] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """Checks that were skipped, with the reason, one sentence each."""

    def add(self, findings: t.Iterable[Finding], url: str = "") -> None:
        """Add findings whose type is not in the report yet.

        A problem of the application also shows at its address, and is reported once.
        """
        for finding in findings:
            if all(known.type != finding.type for known in self.findings):
                self.findings.append(replace(finding, url=url))

    @property
    def is_clean(self) -> bool:
        """Return True if there are neither errors nor warnings."""
        return all(finding.type.severity == "note" for finding in self.findings)
