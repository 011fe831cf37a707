"""Retention: deleting tags, and what is left without one, by rules.

The nearest rules count: those of the repository, or else those of its owner, or else
those of the site. What is protected or released stays, whatever they say.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from functools import partial

from ..clock import utcnow
from ..events import audit
from ..rules.protection import Guard
from ..rules.retention import parse
from ..rules.retention import RetentionEvaluator

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..config import Config
    from ..hooks import Hooks
    from ..rules.protection import Protection
    from ..rules.retention import Rule
    from ..rules.retention import Snapshot
    from ..rules.retention import Verdict

#: How many repositories are read at once.
BATCH: t.Final = 200


@dataclass(frozen=True, slots=True)
class Retained:
    """What retention made of one tag, or of one manifest without a tag."""

    repository: str
    """The name of the repository."""

    tag: str | None
    """The tag, or None where it is about a manifest."""

    digest: str
    """Of the manifest, or of what the tag points at."""

    deleted: bool
    """Whether it went, or would go."""

    rule: str | None
    """The rule that says so, or None where none does."""

    reason: str
    """Why, in words."""


class RetentionRunner:
    """Applies the rules of one application.

    :param config: the site's rules, and how long deleted tags can be put back.
    :param hooks: what the host says is released.
    :param catalog: what is there, and what is laid down.
    """

    def __init__(self, config: Config, hooks: Hooks, catalog: Catalog) -> None:
        self._config = config
        self._hooks = hooks
        self._catalog = catalog

    def run(
        self, names: t.Sequence[str] | None = None, *, dry_run: bool = False
    ) -> Iterator[Retained]:
        """Apply the rules, a repository at a time.

        :param names: of which repositories; None is of all.
        :param dry_run: whether only to say what would go.
        :return: what became of every tag, and of every manifest that waits to go.
        """
        for repository in self._repositories(names):
            for verdict in self.of(repository, dry_run=dry_run):
                yield Retained(repository.name, **asdict(verdict))

    def of(
        self,
        repository: RepositoryInfo,
        *,
        dry_run: bool,
        rules: t.Sequence[Rule] | None = None,
    ) -> list[Verdict]:
        """Apply the rules to one repository.

        :param rules: others than those that are laid down, for a dry run.
        """
        key = repository.key
        now, window = utcnow(), self._config.undo_period
        decide = partial(self._decide, repository, now, rules)
        left_since = None if window is None else now - window
        if dry_run:
            return self._catalog.retention.preview(key, decide, left_since)
        guard = Guard(self._config.protection)
        verdicts = self._catalog.retention.apply(key, decide, left_since, guard)
        for verdict in verdicts:
            if verdict.deleted:
                audit.record(
                    "delete",
                    None,
                    repository.name,
                    reference=verdict.tag or verdict.digest,
                    rule=verdict.rule or "",
                )
        return verdicts

    def _decide(
        self,
        repository: RepositoryInfo,
        now: datetime,
        rules: t.Sequence[Rule] | None,
        stock: Snapshot,
        own: t.Any,
        owners: t.Any,
        protection: Protection,
    ) -> list[Verdict]:
        if rules is None:
            laid = owners if own is None else own
            rules = self._config.retention if laid is None else parse(laid)
        judge = RetentionEvaluator(
            rules=rules,
            now=now,
            protection=self._config.protection | protection,
            grace=self._config.lease_lifetime,
        )
        if self._hooks.retention_exempt is not None:
            judge = replace(
                judge, is_exempt=partial(self._hooks.retention_exempt, repository)
            )
        return judge.evaluate(stock)

    def _repositories(self, names: t.Sequence[str] | None) -> Iterator[RepositoryInfo]:
        repositories, last = self._catalog.repositories, None
        if names is not None:
            yield from map(repositories.find, names)
            return
        while True:
            batch = repositories.page(BATCH, last, None)
            yield from batch
            if len(batch) < BATCH:
                return
            last = batch[-1].name
