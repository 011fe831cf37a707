"""What a check can find, and what it found."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field

Severity = t.Literal["error", "warning", "note"]

#: What each severity means, the worst first.
SEVERITIES: t.Final[dict[Severity, str]] = {
    "error": "Docker cannot work, or somebody can do what they should not",
    "warning": "It works, and will not always",
    "note": "Good to know",
}

#: Where the lines of a remedy belong.
PLACES: t.Final = {
    "python": "In the application",
    "command": "On the command line",
    "nginx": "nginx",
    "apache": "Apache",
    "caddy": "Caddy",
    "traefik": "Traefik",
}


@dataclass(frozen=True)
class FindingType:
    """One thing that can be wrong."""

    code: str
    """Its name, which stays the same."""

    severity: Severity
    title: str
    """What is wrong, in general."""

    why: str
    """Why it matters, to docker or to somebody who uses it."""

    remedies: dict[str, str] = field(default_factory=dict)
    """The lines to write, by a key of :data:`PLACES`."""

    def found(self, what: str) -> Finding:
        """Make a finding.

        :param what: a sentence on what it is here.
        """
        return Finding(self, what)


@dataclass(frozen=True)
class Finding:
    """Something that is wrong here."""

    type: FindingType
    what: str
    """What it is here."""

    where: str = ""
    """The address that shows it, or nothing where the application itself does."""

    def as_fields(self) -> dict[str, t.Any]:
        """Return it for a program to read."""
        return {
            "code": self.type.code,
            "severity": self.type.severity,
            "title": self.type.title,
            "what": self.what,
            "where": self.where,
            "why": self.type.why,
            "remedies": self.type.remedies,
        }


@dataclass
class Report:
    """What a check has found, and what it could not look at."""

    findings: list[Finding] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    """What was not looked at, and why, a sentence each."""

    def add(self, findings: t.Iterable[Finding], where: str = "") -> None:
        """Take findings in, each kind once: what the application does by itself is
        seen through its address, too."""
        for finding in findings:
            if all(known.type != finding.type for known in self.findings):
                self.findings.append(Finding(finding.type, finding.what, where))

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong; a note is no fault."""
        return all(finding.type.severity == "note" for finding in self.findings)
