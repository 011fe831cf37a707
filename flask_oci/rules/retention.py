"""Which tags and manifests may go, by which rule, and why the others stay.

Rules are sentences: ``keep 10 newest``, ``keep v*``, ``delete pr-* older than 30
days``, ``delete * not pulled for 90 days``, ``delete untagged after 14 days``.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from fnmatch import fnmatchcase

from .protection import is_attached
from .protection import NOTHING
from .protection import patterns
from .protection import Protection
from .protection import subject_of

#: How many rules there may be in one place.
MOST: t.Final = 50

#: How much of a digest an attached tag has in it.
_SUBJECT: t.Final = len("sha256:") + 64

_TAGS = r"(?P<tags>[A-Za-z0-9_.*?-]{1,128})"
_DAYS = r"[1-9][0-9]{0,4}"
_OLDER = rf"(?: older than (?P<older>{_DAYS}) days?)?"
_UNPULLED = rf"(?: not pulled for (?P<unpulled>{_DAYS}) days?)?"
_SENTENCES: t.Final = tuple(
    re.compile(sentence, re.ASCII)
    for sentence in (
        rf"keep (?P<newest>{_DAYS}) newest(?: of {_TAGS})?",
        rf"keep {_TAGS}",
        rf"delete untagged after (?P<untagged>{_DAYS}) days?",
        rf"delete (?!untagged\b){_TAGS}{_OLDER}(?: and)?{_UNPULLED}",
    )
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A sentence, and what it says."""

    text: str
    keeps: bool
    tags: str | None
    """The pattern of the tags that it is about, or None for what has none."""

    newest: int | None = None
    """How many of those are kept; None is all."""

    older: timedelta | None = None
    unpulled: timedelta | None = None
    untagged: timedelta | None = None

    def matches(self, tag: str) -> bool:
        """Tell whether it is about a tag."""
        return self.tags is not None and fnmatchcase(tag, self.tags)

    def matching(self, tag: Tagged) -> bool:
        """Tell whether it is about a tag of an image."""
        return self.matches(tag.name)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tag of an image, which is an index with its children, or one manifest."""

    name: str
    digest: str
    moved_at: datetime
    pulled_at: datetime | None
    """When any part of the image was last pulled, if it ever was."""


@dataclass(frozen=True, slots=True)
class UntaggedManifest:
    """A manifest that has no tag, and that nothing tagged needs."""

    digest: str
    touched_at: datetime
    """When it was last pushed, promised to a client, or lost a tag."""

    left_at: datetime | None
    """When it lost a tag that can still be put back, if there is one."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is in a repository."""

    digests: frozenset[str]
    tags: Sequence[Tagged]
    loose: Sequence[UntaggedManifest]
    unneeded: Callable[[datetime], set[str]]
    """Returns the digests of what nothing has needed since a moment."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a tag, or of a manifest without one, and why."""

    tag: str | None
    """The tag, or None where it is about a manifest."""

    digest: str
    """Of the manifest, or of what the tag points at."""

    deleted: bool
    """Whether it goes."""

    rule: str | None
    """The rule that says so, or None where none does."""

    reason: str
    """Why, in words."""


@dataclass(frozen=True, slots=True)
class RetentionEvaluator:
    """Applies rules to what is in a repository, as things stand at one moment."""

    rules: Sequence[Rule]
    now: datetime
    protection: Protection = NOTHING
    released: Callable[[str, str], bool] = lambda tag, digest: False
    """Tells whether a tag, of a digest, is one that the host keeps for itself."""

    grace: timedelta = timedelta()
    """How long whatever was needed stays in any case."""

    def judge(self, stock: Snapshot) -> list[Verdict]:
        """Return a verdict on each tag, and on each manifest that only waits to go."""
        order = sorted(stock.tags, key=lambda tag: tag.name)
        order.sort(key=lambda tag: tag.moved_at, reverse=True)
        own = [tag for tag in order if not is_attached(tag.name)]
        places = {
            rule: {
                tag.name: place
                for place, tag in enumerate(filter(rule.matching, own), start=1)
            }
            for rule in self.rules
            if rule.newest is not None
        }
        verdicts = [self._of_tag(tag, places) for tag in own]
        subjects = {digest[:_SUBJECT]: digest for digest in stock.digests}
        attached = [tag for tag in order if is_attached(tag.name)]
        verdicts += [self._of_attached(tag, subjects) for tag in attached]
        return verdicts + self._of_loose(stock)

    def _of_tag(self, tag: Tagged, places: Mapping[Rule, Mapping[str, int]]) -> Verdict:
        if pattern := self.protection.keeping(tag.name):
            return _kept(tag, None, f"it is protected by '{pattern}'")
        for rule in self.rules:
            if rule.keeps and rule.matches(tag.name):
                if rule.newest is None:
                    return _kept(tag, rule, "it is to be kept")
                place = places[rule][tag.name]
                if place <= rule.newest:
                    return _kept(tag, rule, f"it is number {place} of the newest")
        waiting: Verdict | None = None
        for rule in self.rules:
            if not rule.keeps and rule.matches(tag.name):
                is_due, reason = self._is_due(rule, tag)
                if not is_due:
                    waiting = waiting or _kept(tag, rule, reason)
                elif self.released(tag.name, tag.digest):
                    return _kept(tag, None, "it is released, as the site says")
                else:
                    return Verdict(tag.name, tag.digest, True, rule.text, reason)
        return waiting or _kept(tag, None, "no rule deletes it")

    def _is_due(self, rule: Rule, tag: Tagged) -> tuple[bool, str]:
        """Tell whether a rule deletes a tag now, and what it goes by."""
        # What nobody has pulled yet has waited since it was pushed.
        used_at = max(tag.moved_at, tag.pulled_at or tag.moved_at)
        pulled = "it was last pulled" if used_at != tag.moved_at else "it was pushed"
        reasons = []
        for limit, since, what in (
            (rule.older, tag.moved_at, "it was last pushed, or moved,"),
            (rule.unpulled, used_at, pulled),
        ):
            if limit is not None:
                reasons.append(f"{what} {self._ago(since)}")
                if self.now - since < limit:
                    return False, reasons[-1]
        return True, " and ".join(reasons) or "no rule keeps it"

    def _of_attached(self, tag: Tagged, subjects: Mapping[str, str]) -> Verdict:
        found = subjects.get(t.cast(str, subject_of(tag.name)))
        if found is not None:
            return _kept(tag, None, f"it belongs to {found}")
        rule = self._for_untagged()
        if rule is None:
            return _kept(tag, None, "no rule deletes it")
        reason = (
            f"what it belongs to is gone, and it was pushed {self._ago(tag.moved_at)}"
        )
        is_due = self.now - tag.moved_at >= t.cast(timedelta, rule.untagged)
        return Verdict(tag.name, tag.digest, is_due, rule.text, reason)

    def _of_loose(self, stock: Snapshot) -> list[Verdict]:
        rule = self._for_untagged()
        if rule is None:
            return [
                Verdict(None, item.digest, False, None, "no rule deletes it")
                for item in stock.loose
            ]
        since = self.now - max(t.cast(timedelta, rule.untagged), self.grace)
        gone = stock.unneeded(since)
        return [
            Verdict(
                None,
                item.digest,
                item.digest in gone,
                rule.text,
                self._about(item, item.digest in gone, since),
            )
            for item in stock.loose
        ]

    def _about(self, item: UntaggedManifest, gone: bool, since: datetime) -> str:
        if not gone and item.left_at is not None:
            return f"its tag went {self._ago(item.left_at)}, and can be put back"
        if not gone and item.touched_at < since:
            return "something that stays needs it"
        return f"nothing has needed it since {self._ago(item.touched_at)}"

    def _for_untagged(self) -> Rule | None:
        found = [rule for rule in self.rules if rule.untagged is not None]
        return min(found, key=lambda rule: rule.untagged or timedelta(), default=None)

    def _ago(self, moment: datetime) -> str:
        days = (self.now - moment).days
        return f"{days} day ago" if days == 1 else f"{max(days, 0)} days ago"


def parse(texts: Iterable[str]) -> tuple[Rule, ...]:
    """Read rules.

    :raises ValueError: when one is none, there are too many, or nothing would go and
        nothing says that it should not.
    """
    rules = tuple(_rule(" ".join(text.split())) for text in texts if text.strip())
    if len(rules) > MOST:
        raise ValueError(f"There may be {MOST} rules in one place.")
    if rules and not any(not r.keeps or _keeps_everything(r) for r in rules):
        raise ValueError(
            "These rules keep tags and delete none. Add which go, such as 'delete *';"
            " to have all stay, whatever the rules elsewhere say, 'keep *' is enough."
        )
    return rules


def _keeps_everything(rule: Rule) -> bool:
    return rule.keeps and rule.newest is None and rule.tags == "*"


def _rule(text: str) -> Rule:
    for sentence in _SENTENCES:
        if found := sentence.fullmatch(text):
            break
    else:
        raise ValueError(
            f"{text!r} is no rule. Rules are 'keep 10 newest', 'keep 3 newest of"
            " nightly-*', 'keep v*', 'delete pr-* older than 30 days', 'delete * not"
            " pulled for 90 days' and 'delete untagged after 14 days'."
        )
    said = found.groupdict()
    untagged = _days(said.get("untagged"))
    tags = None if untagged else said.get("tags") or "*"
    if tags is not None:
        patterns([tags])
    newest = said.get("newest")
    return Rule(
        text=text,
        keeps=text.startswith("keep "),
        tags=tags,
        newest=int(newest) if newest else None,
        older=_days(said.get("older")),
        unpulled=_days(said.get("unpulled")),
        untagged=untagged,
    )


def _days(text: str | None) -> timedelta | None:
    return timedelta(days=int(text)) if text else None


def _kept(tag: Tagged, rule: Rule | None, reason: str) -> Verdict:
    return Verdict(tag.name, tag.digest, False, rule.text if rule else None, reason)
