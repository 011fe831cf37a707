"""The rules of retention: sentences, and what they mean.

``keep 10 newest``, ``keep v*``, ``delete pr-* older than 30 days``, ``delete * not
pulled for 90 days``, ``delete untagged after 14 days``.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase

from .newest import Order
from .newest import ORDERS
from .protection import patterns

if t.TYPE_CHECKING:
    from .retention import Tagged

#: The maximum number of rules of one repository, of one owner or of the configuration.
MAX_RULES: t.Final = 50

_TAGS = r"(?P<tags>[A-Za-z0-9_.*?-]{1,128})"
_DAYS = r"[1-9][0-9]{0,4}"
_OLDER = rf"(?: older than (?P<older>{_DAYS}) days?)?"
_UNPULLED = rf"(?: not pulled for (?P<unpulled>{_DAYS}) days?)?"
_BY = rf"(?: by (?P<order>{'|'.join(ORDERS)}))?"
_SENTENCES: t.Final = tuple(
    re.compile(sentence, re.ASCII)
    for sentence in (
        rf"keep (?P<newest>{_DAYS}) newest(?: of {_TAGS})?{_BY}",
        rf"keep {_TAGS}",
        rf"delete untagged after (?P<untagged>{_DAYS}) days?",
        rf"delete (?!untagged\b){_TAGS}{_OLDER}(?: and)?{_UNPULLED}",
    )
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A parsed retention rule."""

    text: str
    """The rule as it was written, with single spaces."""

    keeps: bool
    """Whether the rule keeps tags. Otherwise it deletes them."""

    tags: str | None
    """The pattern of the tags that the rule covers. None for a rule about manifests
    without a tag."""

    newest: int | None = None
    """The number of newest matching tags to keep. None keeps all of them."""

    order: Order = "push"
    """The order in which the newest tags are counted."""

    older: timedelta | None = None
    """The time since the last push or move of a tag before the rule deletes it."""

    unpulled: timedelta | None = None
    """The time since the last pull before the rule deletes a tag."""

    untagged: timedelta | None = None
    """The time without a tag before the rule deletes a manifest."""

    def matches(self, tag: str) -> bool:
        """Return True if the rule covers a tag of this name."""
        return self.tags is not None and fnmatchcase(tag, self.tags)

    def matching(self, tag: Tagged) -> bool:
        """Return True if the rule covers a tag."""
        return self.matches(tag.name)


def parse(texts: Iterable[str]) -> tuple[Rule, ...]:
    """Return the rules that some sentences mean.

    :param texts: one sentence each. Empty ones are ignored.
    :raises ValueError: if a rule is invalid, if there are too many, or if the rules
        keep tags but delete none. ``keep *`` may stand without a rule that deletes.
    """
    rules = tuple(_rule(" ".join(text.split())) for text in texts if text.strip())
    if len(rules) > MAX_RULES:
        raise ValueError(f"Too many rules: {len(rules)}. Use at most {MAX_RULES}.")
    if rules and not any(not r.keeps or _keeps_everything(r) for r in rules):
        raise ValueError(
            "These rules keep tags but delete none. Add a rule that deletes, such as"
            " 'delete *'. To keep all tags and ignore other rules, write 'keep *'."
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
            f"Invalid rule {text!r}. Write a rule such as 'keep 10 newest', 'keep 3"
            " newest of nightly-*', 'keep 5 newest of v* by version', 'keep v*',"
            " 'delete pr-* older than 30 days', 'delete * not pulled for 90 days' or"
            " 'delete untagged after 14 days'."
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
        order=t.cast(Order, said.get("order") or "push"),
        older=_days(said.get("older")),
        unpulled=_days(said.get("unpulled")),
        untagged=untagged,
    )


def _days(text: str | None) -> timedelta | None:
    return timedelta(days=int(text)) if text else None
