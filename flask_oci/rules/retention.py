"""Retention: what rules decide on each tag and manifest."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from datetime import datetime
from datetime import timedelta

from .newest import in_words
from .newest import newest_first
from .protection import is_attached
from .protection import NOTHING
from .protection import Protection
from .protection import subject_of
from .retention_rules import Rule
from .wording import plural

#: The length of the digest that an attached tag names.
_SUBJECT: t.Final = len("sha256:") + 64


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tag of an image. An image is one manifest, or an index with its children."""

    name: str
    digest: str
    moved_at: datetime
    pulled_at: datetime | None
    """The time of the last pull of any part of the image. None if never pulled."""


@dataclass(frozen=True, slots=True)
class UntaggedManifest:
    """A manifest without a tag that no tagged manifest needs."""

    digest: str
    touched_at: datetime
    """The time of the last push, the last lease or the last loss of a tag."""

    left_at: datetime | None
    """The time of the loss of a tag that can still be restored, if there is one."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The manifests and tags of a repository at one moment."""

    digests: frozenset[str]
    tags: Sequence[Tagged]
    loose: Sequence[UntaggedManifest]
    unneeded: Callable[[datetime], set[str]]
    """Returns the digests of the manifests that have not been needed since a time."""


@dataclass(frozen=True, slots=True)
class RetentionDecision:
    """The decision on a tag, or on a manifest without a tag, and the reason."""

    tag: str | None
    """The tag. None if the decision is about a manifest without a tag."""

    digest: str
    """The digest of the manifest, or of the target of the tag."""

    deleted: bool
    """Whether the tag or the manifest is deleted."""

    rule: str | None
    """The text of the rule that decides, or None."""

    reason: str
    """The reason, as a phrase."""

    repository: str = ""
    """The name of the repository; empty if only one is evaluated."""

    path: str | None = None
    """The path of the rule that decides, such as ``website/*``. None for a rule of the
    repository, its owner or the site."""

    due_at: datetime | None = None
    """When the rule will delete what it keeps now, if nothing changes. None if no time
    is known."""

    @property
    def rule_text(self) -> str:
        """The rule that decides, with its path if it has one; empty without a rule."""
        return " of ".join(filter(None, (self.rule, self.path)))


@dataclass(frozen=True, slots=True)
class RetentionEvaluator:
    """Evaluates the retention rules of a repository at one moment."""

    rules: Sequence[Rule]
    now: datetime
    protection: Protection = NOTHING
    is_exempt: Callable[[str, str], bool] = lambda tag, digest: False
    """Returns True if the host exempts a tag with this digest."""

    grace: timedelta = timedelta()
    """The minimum time without a tag before any rule deletes a manifest."""

    created_at: Callable[[str], datetime | None] = lambda digest: None
    """Returns the time at which the image with this digest was created, or None."""

    def evaluate(
        self, stock: Snapshot, digest: str | None = None
    ) -> list[RetentionDecision]:
        """Return a verdict on each tag and on each manifest without a tag.

        :param digest: decide only on this manifest and its tags; None is all.
        """
        order = sorted(stock.tags, key=lambda tag: tag.name)
        order.sort(key=lambda tag: tag.moved_at, reverse=True)
        own = [tag for tag in order if not is_attached(tag.name)]
        places = {
            rule: {
                tag.name: place
                for place, tag in enumerate(self._newest(rule, own), start=1)
            }
            for rule in self.rules
            if rule.newest is not None
        }
        if digest is not None:
            order = [tag for tag in order if tag.digest == digest]
            own = [tag for tag in own if tag.digest == digest]
        verdicts = [self._of_tag(tag, places) for tag in own]
        subjects = {digest[:_SUBJECT]: digest for digest in stock.digests}
        attached = [tag for tag in order if is_attached(tag.name)]
        verdicts += [self._of_attached(tag, subjects) for tag in attached]
        return verdicts + self._of_loose(stock)

    def _newest(self, rule: Rule, tags: Iterable[Tagged]) -> list[Tagged]:
        matching = filter(rule.matching, tags)
        return newest_first(matching, rule.order, self.created_at)

    def _of_tag(
        self, tag: Tagged, places: Mapping[Rule, Mapping[str, int]]
    ) -> RetentionDecision:
        if pattern := self.protection.pattern_of(tag.name):
            return _kept(tag, None, f"protected by '{pattern}'")
        for rule in self.rules:
            if rule.keeps and rule.matches(tag.name):
                if rule.newest is None:
                    return _kept(tag, rule, "the rule keeps all matching tags")
                place = places[rule][tag.name]
                if place <= rule.newest:
                    order = in_words(rule.order)
                    return _kept(tag, rule, f"number {place} of the newest tags{order}")
        waiting: RetentionDecision | None = None
        for rule in self.rules:
            if not rule.keeps and rule.matches(tag.name):
                due_at, reason = self._due(rule, tag)
                if due_at > self.now:
                    found = replace(_kept(tag, rule, reason), due_at=due_at)
                    waiting = min(waiting or found, found, key=_due_at)
                elif self.is_exempt(tag.name, tag.digest):
                    return _kept(tag, None, "exempted by the application")
                else:
                    return RetentionDecision(
                        tag.name, tag.digest, True, rule.text, reason
                    )
        return waiting or _kept(tag, None, "no rule deletes it")

    def _due(self, rule: Rule, tag: Tagged) -> tuple[datetime, str]:
        """Return when a rule deletes a tag, and the reason: of its first condition that
        is not met, or of all."""
        # The time without a pull begins with the last push.
        used_at = max(tag.moved_at, tag.pulled_at or tag.moved_at)
        was_pulled = used_at != tag.moved_at
        reasons: list[str] = []
        waits, due_at = "", self.now
        for limit, since, event in (
            (rule.older, tag.moved_at, "last pushed or moved"),
            (rule.unpulled, used_at, "last pulled" if was_pulled else "pushed"),
        ):
            if limit is not None:
                reasons.append(f"{event} {self._ago(since)}")
                due_at = max(due_at, since + limit)
                if since + limit > self.now:
                    waits = waits or reasons[-1]
        return due_at, waits or " and ".join(reasons) or "no rule keeps it"

    def _of_attached(
        self, tag: Tagged, subjects: Mapping[str, str]
    ) -> RetentionDecision:
        found = subjects.get(t.cast(str, subject_of(tag.name)))
        if found is not None:
            return _kept(tag, None, f"attached to {found}")
        rule = self._for_untagged()
        if rule is None:
            return _kept(tag, None, "no rule deletes it")
        reason = f"its image was deleted; pushed {self._ago(tag.moved_at)}"
        is_due = self.now - tag.moved_at >= t.cast(timedelta, rule.untagged)
        return RetentionDecision(tag.name, tag.digest, is_due, rule.text, reason)

    def _of_loose(self, stock: Snapshot) -> list[RetentionDecision]:
        rule = self._for_untagged()
        if rule is None:
            return [
                RetentionDecision(None, item.digest, False, None, "no rule deletes it")
                for item in stock.loose
            ]
        since = self.now - max(t.cast(timedelta, rule.untagged), self.grace)
        gone = stock.unneeded(since)
        return [
            RetentionDecision(
                None,
                item.digest,
                item.digest in gone,
                rule.text,
                self._about(item, item.digest in gone, since),
                due_at=self._loose_due_at(item, since),
            )
            for item in stock.loose
        ]

    def _loose_due_at(self, item: UntaggedManifest, since: datetime) -> datetime | None:
        """Return when a manifest is due that is only kept because it was needed
        lately.

        :param since: manifests that were needed since then are kept.
        """
        if item.left_at is not None or item.touched_at < since:
            return None
        return self.now + (item.touched_at - since)

    def _about(self, item: UntaggedManifest, gone: bool, since: datetime) -> str:
        if not gone and item.left_at is not None:
            return f"lost its tag {self._ago(item.left_at)}; the tag can be restored"
        if not gone and item.touched_at < since:
            return "needed by a manifest that is kept"
        return f"last needed {self._ago(item.touched_at)}"

    def _for_untagged(self) -> Rule | None:
        found = [rule for rule in self.rules if rule.untagged is not None]
        return min(found, key=lambda rule: rule.untagged or timedelta(), default=None)

    def _ago(self, moment: datetime) -> str:
        return f"{plural(max((self.now - moment).days, 0), 'day')} ago"


def _due_at(decision: RetentionDecision) -> datetime:
    return t.cast(datetime, decision.due_at)


def _kept(tag: Tagged, rule: Rule | None, reason: str) -> RetentionDecision:
    return RetentionDecision(
        tag.name, tag.digest, False, rule.text if rule else None, reason
    )
