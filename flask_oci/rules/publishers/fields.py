"""Fields of publishers, their validation, and the base of the kinds of issuers."""

from __future__ import annotations

import abc
import hashlib
import json
import re
import typing as t
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass

from .patterns import check_pattern
from .patterns import matches

Claims: t.TypeAlias = "Mapping[str, t.Any]"
Values: t.TypeAlias = "Mapping[str, str]"

#: The maximum length of a field, in characters.
MAX_LENGTH: t.Final = 255

#: The maximum length of a claim in a message, in characters.
_SHOWN: t.Final = 200

#: The maximum length of the text that names a job, in characters.
JOB_LENGTH: t.Final = 255


@dataclass(frozen=True, slots=True)
class Field:
    """A value that an owner enters for a publisher."""

    name: str
    label: str
    hint: str
    """Where the owner finds the value, or an example."""

    form: re.Pattern[str] | None = None
    """The expression that a value matches completely; None is any text in one line."""

    is_required: bool = True
    is_ref: bool = False
    """Whether the value is a pattern of a Git reference."""

    is_pattern: bool = False
    """Whether ``*`` in the value stands for text without a slash."""

    def parse(self, value: str) -> str:
        """Return a valid value.

        :raises ValueError: if the value is invalid.
        """
        if len(value) > MAX_LENGTH or not value.isprintable() or value != value.strip():
            raise ValueError(
                f"Invalid {self.name}: use one line of at most {MAX_LENGTH} characters,"
                " without spaces around it."
            )
        if self.form is not None and not self.form.fullmatch(value):
            raise ValueError(f"Invalid {self.name} {value!r}: {self.hint}")
        if self.is_ref or self.is_pattern:
            check_pattern(self.name, value, is_ref=self.is_ref)
        return value


class ClaimCheck(t.NamedTuple):
    """The comparison of a claim of an identity token with a publisher."""

    claim: str
    expected: str
    found: str | None
    """The text of the claim, or None if the token has no such claim."""

    is_met: bool

    def __str__(self) -> str:
        if self.found is None:
            return f"the claim {self.claim} is missing; it must be {self.expected}"
        verb = "is" if self.is_met else f"must be {self.expected}, but is"
        return f"the claim {self.claim} {verb} {self.found}"


class Job(t.NamedTuple):
    """A job that logs in, as the audit log and events name it."""

    issuer: str
    """The kind of the issuer, such as ``github``."""

    repository: str
    """The repository, project, pipeline or account of the job."""

    workflow: str
    ref: str
    run: str

    def __str__(self) -> str:
        parts = [self.issuer, self.repository, self.workflow, self.ref]
        run = f"run {self.run}" if self.run else ""
        return " ".join(filter(None, [*parts, run]))[:JOB_LENGTH]


class Kind(abc.ABC):
    """A kind of issuer.

    A subclass names the fields of its publishers and compares them with claims.
    """

    name: t.ClassVar[str]
    title: t.ClassVar[str]
    fields: t.ClassVar[tuple[Field, ...]]

    pins: t.ClassVar[tuple[str, ...]]
    """The fields that identify the job's project for ever. The claim of a new project
    with the name of an old one differs in them."""

    def parse(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the valid fields of a publisher, without empty ones.

        :raises ValueError: if a field is unknown, missing or invalid.
        """
        known = {field.name: field for field in self.fields}
        for name in values:
            if name not in known:
                raise ValueError(
                    f"Unknown field {name!r} of a publisher on {self.title}; use"
                    f" {', '.join(known)}."
                )
        found = {}
        for name, field in known.items():
            value = values.get(name) or ""
            if value:
                found[name] = field.parse(value)
            elif field.is_required:
                raise ValueError(
                    f"A publisher on {self.title} needs {name}: {field.hint}"
                )
        return found

    def pin(self, issuer: str, values: Values) -> str:
        """Return the hash of an issuer and of the pinned fields of a publisher."""
        pinned = [issuer, *(values.get(name, "") for name in self.pins)]
        return hashlib.sha256(json.dumps(pinned).encode()).hexdigest()

    def pin_of(self, issuer: str, claims: Claims) -> str:
        """Return the hash of an issuer and of the claims that publishers pin."""
        return self.pin(issuer, self.pinned(claims))

    def pinned(self, claims: Claims) -> dict[str, str]:
        """Return the pinned fields as the claims have them."""
        return {name: text_of(claims.get(name)) or "" for name in self.pins}

    @abc.abstractmethod
    def checks(
        self, issuer: str, values: Values, claims: Claims
    ) -> Iterator[ClaimCheck]:
        """Yield the comparison of each claim that the fields of a publisher concern.

        :param issuer: the address of the issuer.
        :param values: the fields of the publisher.
        :param claims: the claims of a token whose signature is valid.
        """

    @abc.abstractmethod
    def job(self, claims: Claims) -> Job:
        """Return the job that the claims describe."""


def equal(claim: str, wanted: str, claims: Claims) -> ClaimCheck:
    """Return the comparison of a claim with an exact value."""
    return compare(claim, wanted, text_of(claims.get(claim)), str.__eq__)


def equal_name(claim: str, wanted: str, claims: Claims) -> ClaimCheck:
    """Return the comparison of a claim with a name whose case does not matter to the
    issuer."""
    return compare(claim, wanted, text_of(claims.get(claim)), _is_same_name)


def matching(claim: str, pattern: str, found: str | None) -> ClaimCheck:
    """Return the comparison of the text of a claim with a pattern."""
    return compare(claim, pattern, found, matches)


def compare(
    claim: str,
    wanted: str,
    found: str | None,
    is_met: t.Callable[[str, str], bool],
) -> ClaimCheck:
    """Return the comparison of a claim by a function of the wanted and the found
    text. A missing or empty claim meets nothing."""
    if not found:
        return ClaimCheck(claim, _shown(wanted), None, False)
    return ClaimCheck(claim, _shown(wanted), _shown(found), is_met(wanted, found))


def text_of(value: object) -> str | None:
    """Return the text of a claim, or None if it is missing or neither a text, a whole
    number nor a truth value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 2**63 else None
    return value if isinstance(value, str) else None


def _shown(text: str) -> str:
    # A claim may contain control characters, which a terminal would interpret.
    return repr(text[:_SHOWN])


def _is_same_name(one: str, other: str) -> bool:
    return one.casefold() == other.casefold() and len(one) == len(other)
