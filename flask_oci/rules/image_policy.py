"""Image policies: the signatures and scans that an image needs to be pulled.

A rule is a sentence: ``require signature by release``, ``require scan by scanner at
most 30 days old``, ``refuse critical older than 7 days by scanner``, ``allow 1 hour
after push``, ``exempt dev-*``, ``check pushed tags``, ``warn only``.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase

from ..errors import Denied
from .protection import patterns

#: The maximum number of rules of one policy.
MAX_RULES: t.Final = 50

#: The severities of findings, the worst first.
SEVERITIES: t.Final = ("critical", "high", "medium", "low")

_NAMES = r"(?P<names>\S{1,100}(?: or \S{1,100}){0,19})"
_NUMBER = r"[1-9][0-9]{0,4}"
_OLDER = rf"(?: older than (?P<older>{_NUMBER}) days?)?"
_NEWER = rf"(?: at most (?P<newer>{_NUMBER}) days? old)?"
_SEVERITY = rf"(?P<severity>{'|'.join(SEVERITIES)})"
_SENTENCES: t.Final = {
    "signature": rf"require signature by {_NAMES}(?P<here> for this repository)?",
    "scan": rf"require scan by {_NAMES}{_NEWER}",
    "severity": rf"refuse {_SEVERITY}{_OLDER}(?: by {_NAMES})?",
    "grace": rf"allow (?P<time>{_NUMBER}) (?P<unit>minute|hour|day)s? after push",
    "exempt": r"exempt (?P<tags>[A-Za-z0-9_.*?-]{1,128})",
    "tags": r"check pushed tags",
    "warn": r"warn only",
}

RuleAction = t.Literal[
    "signature", "scan", "severity", "grace", "exempt", "tags", "warn"
]


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A parsed rule of an image policy."""

    text: str
    """The rule as it was written, with single spaces."""

    action: RuleAction
    names: tuple[str, ...] = ()
    """The names of signers, or of the users whose scans count; empty for all users."""

    severity: str | None = None
    """The least severity that is refused; worse ones are refused too."""

    age: timedelta | None = None
    """The maximum age of a scan, or the age from which a finding is refused."""

    time: timedelta = timedelta()
    """The time after a push in which the policy does not apply."""

    tags: str | None = None
    """The pattern of the exempt tags."""

    here: bool = False
    """Whether the signed content has to name the repository."""

    @property
    def severities(self) -> tuple[str, ...]:
        """The severities that are refused."""
        if self.severity is None:
            return ()
        return SEVERITIES[: SEVERITIES.index(self.severity) + 1]


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one repository, of one path or of the site."""

    rules: tuple[PolicyRule, ...]
    path: str | None = None
    """The stored path; empty for the site, None for a repository."""

    scope: str = ""
    """The scope in words: the name of the repository, or the path."""

    @property
    def conditions(self) -> list[PolicyRule]:
        """The rules that an image has to meet."""
        kinds = ("signature", "scan", "severity")
        return [rule for rule in self.rules if rule.action in kinds]

    @property
    def scanners(self) -> frozenset[str]:
        """The users whose scans the rules name. They may pull images that do not meet
        the policy, because they have to read an image to scan it."""
        rules = (rule for rule in self.conditions if rule.action != "signature")
        return frozenset(name for rule in rules for name in rule.names)

    @property
    def grace(self) -> timedelta:
        """The time after a push in which the policy does not apply."""
        return max((rule.time for rule in self.rules), default=timedelta())

    @property
    def only_warns(self) -> bool:
        """Whether images that do not meet it can be pulled, with a warning."""
        return any(rule.action == "warn" for rule in self.rules)

    @property
    def checks_pushed_tags(self) -> bool:
        """Whether a tag can be pushed only if its image meets the policy."""
        return any(rule.action == "tags" for rule in self.rules)

    @property
    def has_exemptions(self) -> bool:
        """Whether any tag is exempt."""
        return any(rule.action == "exempt" for rule in self.rules)

    def exempting(self, tag: str) -> PolicyRule | None:
        """Return the rule that exempts a tag, or None."""
        matching = (r for r in self.rules if r.tags and fnmatchcase(tag, r.tags))
        return next(matching, None)


@dataclass(frozen=True, slots=True)
class PolicyVerdict:
    """Whether an image meets one rule, and why."""

    rule: str
    """The rule."""

    scope: str
    """The repository or the path that the rule is set for; ``*`` for the site."""

    result: t.Literal["met", "allowed", "warning", "refused"]
    """``allowed`` if the image does not meet the rule, but may be pulled."""

    reason: str
    """The reason, as a phrase."""


class PolicyRefused(Denied):
    """An image does not meet a policy."""

    def __init__(self, image: str, verdict: PolicyVerdict) -> None:
        super().__init__(
            f"{image} does not meet the policy of {verdict.scope} ({verdict.rule}):"
            f" {verdict.reason}. Ask its owner to sign or to scan the image.",
            detail=verdict.rule,
        )


def parse(texts: Iterable[str]) -> tuple[PolicyRule, ...]:
    """Return the rules that some sentences mean.

    :param texts: one sentence each. Empty ones are ignored.
    :raises ValueError: if a rule is invalid, if there are too many, or if they require
        and refuse nothing.
    """
    rules = tuple(_rule(" ".join(text.split())) for text in texts if text.strip())
    if len(rules) > MAX_RULES:
        raise ValueError(f"Too many rules: {len(rules)}. Use at most {MAX_RULES}.")
    if rules and not Policy(rules).conditions:
        raise ValueError(
            "These rules require and refuse nothing. Add a rule such as 'require"
            " signature by release'."
        )
    return rules


def _rule(text: str) -> PolicyRule:
    matches = ((a, re.fullmatch(s, text)) for a, s in _SENTENCES.items())
    action, found = next((pair for pair in matches if pair[1]), ("", None))
    if found is None:
        raise ValueError(
            f"Invalid rule {text[:200]!r}. Write a rule such as 'require signature by"
            " release', 'require scan by scanner at most 30 days old', 'refuse critical"
            " older than 7 days by scanner', 'allow 1 hour after push', 'exempt dev-*',"
            " 'check pushed tags' or 'warn only'."
        )
    said = found.groupdict()
    if said.get("tags"):
        patterns([said["tags"]])
    days = said.get("older") or said.get("newer")
    unit = f"{said.get('unit') or 'day'}s"
    return PolicyRule(
        text=text,
        action=t.cast("RuleAction", action),
        names=tuple(said["names"].split(" or ")) if said.get("names") else (),
        severity=said.get("severity"),
        age=timedelta(days=int(days)) if days else None,
        time=timedelta(**{unit: int(said.get("time") or 0)}),
        tags=said.get("tags"),
        here=bool(said.get("here")),
    )
