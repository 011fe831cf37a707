"""Retention: deleting tags and untagged manifests by rules.

The most specific rules apply: those of the repository, else those of the longest path,
else those of its owner, else those of the site. Protected tags and exempt manifests are
kept, whatever the rules say.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace
from functools import partial

from ..catalog.jobs import RETENTION
from ..catalog.retention import item_of
from ..clock import utcnow
from ..core.build_times import BuildTimes
from ..events import audit
from ..rules.paths import path_text
from ..rules.protection import Guard
from ..rules.retention import RetentionEvaluator
from ..rules.retention_rules import parse
from ..rules.wording import plural
from .items import in_words
from .items import Items

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator
    from datetime import datetime

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..catalog.retention import Item
    from ..catalog.rules import HeldRules
    from ..config import Config
    from ..core.documents import Documents
    from ..hooks import Hooks
    from ..rules.protection import Protection
    from ..rules.retention import RetentionDecision
    from ..rules.retention import Snapshot
    from ..rules.retention_rules import Rule

#: The number of repositories that are read at once.
BATCH_SIZE: t.Final = 200

#: The maximum number of tags and manifests that one transaction deletes.
DELETION_BATCH: t.Final = 250


class RetentionResult(list["RetentionDecision"]):
    """The verdicts of a retention run."""

    failures: list[str]
    """The repositories that failed, each with the reason. The next run tries them
    again."""

    def __init__(
        self, verdicts: Iterable[RetentionDecision], failures: t.Sequence[str]
    ) -> None:
        super().__init__(verdicts)
        self.failures = list(failures)


class RetentionRunner:
    """Applies the retention rules of one application.

    :param config: the rules of the site, and how long deleted tags can be restored.
    :param hooks: the host's decision about which images are exempt.
    :param catalog: the content, and the rules of repositories and owners.
    :param documents: reads the configs of images.
    """

    def __init__(
        self, config: Config, hooks: Hooks, catalog: Catalog, documents: Documents
    ) -> None:
        self._config = config
        self._hooks = hooks
        self._catalog = catalog
        self._documents = documents
        self.failures: list[str] = []
        """The repositories that failed in :meth:`run`, each with the reason."""
        self._items = Items(self.failures, catalog.rollback)

    def run(
        self,
        names: t.Sequence[str] | None = None,
        *,
        dry_run: bool = False,
        checkpoint: Callable[[], object] = lambda: None,
    ) -> Iterator[RetentionDecision]:
        """Apply the rules, one repository at a time. One that fails is added to
        :attr:`failures`, and the others follow.

        :param names: the names of the repositories; None means all.
        :param dry_run: whether to decide without deleting.
        :param checkpoint: called before each repository, outside of transactions. It
            ends the run by an exception.
        :return: the decision about every tag, and about every untagged manifest that is
            due for deletion.
        """
        tags = manifests = 0
        for repository in self._repositories(names):
            checkpoint()
            verdicts: list[RetentionDecision] = []
            with self._items.each(repository.name):
                verdicts = self.of(repository, dry_run=dry_run)
            for verdict in verdicts:
                tags += verdict.deleted and verdict.tag is not None
                manifests += verdict.deleted and verdict.tag is None
                yield replace(verdict, repository=repository.name)
        if names is None and not dry_run:
            with self._items.each("the record of this run"):
                self._catalog.jobs.record(
                    RETENTION,
                    summary=f"Deleted {plural(tags, 'tag')} and"
                    f" {plural(manifests, 'manifest')}.",
                    failure=in_words(self.failures),
                )

    def of(
        self,
        repository: RepositoryInfo,
        *,
        dry_run: bool,
        rules: t.Sequence[Rule] | None = None,
    ) -> list[RetentionDecision]:
        """Apply the rules to one repository, in transactions of limited size.

        :param dry_run: whether to decide without deleting.
        :param rules: rules to try instead of those that are set, for a dry run.
        """
        key = repository.key
        now, window = utcnow(), self._config.undo_period
        times = BuildTimes(self._catalog, self._documents, key)
        decide = partial(self._decide, repository, now, rules, times)
        left_since = None if window is None else now - window
        if dry_run:
            return self._catalog.retention.preview(key, decide, left_since)
        verdicts = self._catalog.retention.preview(key, decide, left_since)
        self._catalog.release()
        due = [item_of(verdict) for verdict in verdicts if verdict.deleted]
        done: dict[Item, RetentionDecision] = {}
        for start in range(0, len(due), DELETION_BATCH):
            batch = set(due[start : start + DELETION_BATCH])
            guard = Guard(self._config.protection)
            done |= self._catalog.retention.apply(key, decide, left_since, guard, batch)
            self._record(repository, [done[item] for item in batch if item in done])
        return [
            done[item_of(verdict)] if verdict.deleted else verdict
            for verdict in verdicts
            if not verdict.deleted or item_of(verdict) in done
        ]

    def of_image(
        self, repository: RepositoryInfo, digest: str, pulled_at: datetime | None
    ) -> list[RetentionDecision]:
        """Return the decisions on the tags of an image, or on an untagged one, in few
        statements.

        If rules compare the creation of images, there is none: it would have to be read
        from each image of the repository.

        :param pulled_at: when any part of the image was last pulled.
        """
        key, now, window = repository.key, utcnow(), self._config.undo_period
        held = self._catalog.rules.holding("retain", key)
        rules = self._rules(repository, held.most_specific[0])
        if not rules or any(rule.order == "creation" for rule in rules):
            return []
        snapshot = self._catalog.retention.image(
            key,
            digest,
            pulled_at,
            None if window is None else now - window,
            counts=any(rule.newest is not None for rule in rules),
        )
        times = BuildTimes(self._catalog, self._documents, key)
        protection = self._catalog.rules.protection(key)
        decisions = self._decide(
            repository, now, None, times, snapshot, held, protection, digest
        )
        exempts = self._hooks.retention_exempt
        if exempts is None:
            return decisions
        return [
            each
            for each in decisions
            if each.tag is None
            or each.due_at is None
            or not exempts(repository, each.tag, digest)
        ]

    def _record(
        self, repository: RepositoryInfo, verdicts: t.Sequence[RetentionDecision]
    ) -> None:
        for verdict in verdicts:
            if verdict.deleted:
                audit.record(
                    "delete",
                    None,
                    repository.name,
                    reference=verdict.tag or verdict.digest,
                    rule=verdict.rule or "",
                )

    def _decide(
        self,
        repository: RepositoryInfo,
        now: datetime,
        rules: t.Sequence[Rule] | None,
        times: BuildTimes,
        snapshot: Snapshot,
        held: HeldRules,
        protection: Protection,
        digest: str | None = None,
    ) -> list[RetentionDecision]:
        texts, path = held.most_specific
        if rules is None:
            rules = self._rules(repository, texts)
        else:
            path = None
        evaluator = RetentionEvaluator(
            rules=rules,
            now=now,
            protection=self._config.protection | protection,
            grace=self._config.lease_lifetime,
            created_at=times.of,
        )
        if self._hooks.retention_exempt is not None:
            evaluator = replace(
                evaluator, is_exempt=partial(self._hooks.retention_exempt, repository)
            )
        verdicts = evaluator.evaluate(snapshot, digest)
        if path is None:
            return verdicts
        return [
            v if v.rule is None else replace(v, path=path_text(path)) for v in verdicts
        ]

    def _rules(self, repository: RepositoryInfo, texts: t.Any) -> t.Sequence[Rule]:
        """Return the stored rules, or else those of the upstream or the site.

        :param texts: the most specific stored rules, or None.
        """
        if texts is not None:
            return parse(texts)
        upstream = self._config.upstreams.get(repository.upstream or "")
        if upstream is not None and upstream.retention:
            return upstream.retention
        return self._config.retention

    def _repositories(self, names: t.Sequence[str] | None) -> Iterator[RepositoryInfo]:
        last = None
        if names is not None:
            yield from map(self._catalog.repositories.find, names)
            return
        while True:
            batch = self._catalog.repository_list.with_manifests(BATCH_SIZE, last, None)
            yield from batch
            if len(batch) < BATCH_SIZE:
                return
            last = batch[-1].name
