"""The maintenance of a registry: tables, collection, retention, background work, health
and metrics."""

from __future__ import annotations

import logging
import typing as t

from flask import Response

from ..events import audit
from ..operations.gc import GarbageCollector
from ..operations.health import Health
from ..operations.health import look_at
from ..operations.health import MIN_FREE
from ..operations.retention import RetentionResult
from ..operations.retention import RetentionRunner
from ..rules.paths import parse_path
from ..services import make_worker
from ..services import services

if t.TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from ..catalog import Catalog
    from ..operations.gc_result import GarbageResult
    from ..operations.jobs import JobReport
    from ..operations.work import JobOutcome

logger = logging.getLogger("flask_oci.retention")


class Maintenance:
    """The methods of a :class:`~flask_oci.Registry` for operators and schedulers."""

    _catalog: Catalog

    def create_tables(self) -> list[str]:
        """Create the registry's missing tables, as ``flask oci tables --create`` does.

        It changes no other table, and does nothing if all tables exist. Several
        processes can call it at once. It needs an application context, and commits the
        session.

        :return: the names of the created tables.
        :raises RuntimeError: if a table exists without some of its columns, if the
            table of the users does not exist, or if the database refuses.
        """
        return self._catalog.tables.create()

    def collect_garbage(self, *, dry_run: bool = False) -> GarbageResult:
        """Delete unneeded content, as ``flask oci gc`` does.

        Call it from a scheduler, about once a day, in an application context. Clients
        can push at the same time.

        :param dry_run: True to find unneeded content without deleting it.
        :return: the deleted content.
        """
        parts = services()
        return GarbageCollector(
            parts.config, parts.catalog, parts.storage, dry_run=dry_run
        ).run()

    def apply_retention(
        self,
        repositories: Sequence[str] | None = None,
        *,
        dry_run: bool = False,
    ) -> RetentionResult:
        """Delete old tags and manifests, as ``flask oci retention run`` does.

        Call it from a scheduler, about once a day, in an application context. A later
        collection frees the disk space. A repository that fails is logged, and the
        others follow.

        :param repositories: the names of the repositories. None is all of them.
        :param dry_run: True to find the verdicts without deleting anything.
        :return: a verdict on each tag and on each manifest without a tag. Its
            ``failures`` are the repositories that failed, each with the reason.
        """
        parts = services()
        retainer = RetentionRunner(
            parts.config, parts.hooks, parts.catalog, parts.documents
        )
        verdicts = list(retainer.run(repositories, dry_run=dry_run))
        for failure in retainer.failures:
            logger.error("Retention did not run completely. %s", failure)
        return RetentionResult(verdicts, retainer.failures)

    def delete_path_rules(self, path: str, *, by: t.Any = None) -> int:
        """Delete the rules of a path and of the paths below it, quotas and trusted
        signers included.

        Call it when the object of the application that the path stands for is deleted,
        so that a later one with this name does not inherit them. It needs an
        application context.

        :param path: the path, such as ``website/*``.
        :param by: the user who makes the change, for the audit log.
        :return: the number of deleted rules.
        :raises ValueError: if the path is invalid.
        """
        stored = parse_path(path)
        if not stored:
            raise ValueError("The path '*' has no rules.")
        count = self._catalog.rules.delete_below(stored)
        count += self._catalog.trusted_signers.delete_below(stored)
        if count:
            actor = self._catalog.users.name_of(by)
            audit.record("rule-changed", actor, path=path, rules="nothing")
        return count

    def work(
        self, *, once: bool = False, stop: threading.Event | None = None
    ) -> list[JobOutcome]:
        """Deliver webhooks and run the jobs that are due, as ``flask oci work`` does.

        It needs an application context. Several processes can call it at once.

        :param once: True to do what is due now, and return.
        :param stop: an event that ends the work when the current piece is done.
        :return: the outcomes with ``once``; otherwise nothing.
        """
        outcomes: list[JobOutcome] = []
        if once:
            make_worker(stop, outcomes.append).run_once()
        else:
            make_worker(stop).run()
        return outcomes

    def jobs(self) -> list[JobReport]:
        """Return the last run of each background job. It needs an application
        context."""
        return services().jobs.all()

    def health(self, *, min_free: int = MIN_FREE) -> Health:
        """Return the state of the database and the storage.

        It is for a health check by a load balancer or a monitor. It needs an
        application context.

        :param min_free: the free disk space, in bytes, below which the result has a
            warning.
        """
        parts = services()
        return look_at(
            parts.catalog,
            parts.storage,
            parts.content.storage_identity,
            min_free,
            parts.jobs,
        )

    def metrics(self) -> Response:
        """Return the metrics as a response for Prometheus.

        It is for a view of your application that only Prometheus can access. It needs
        an application context.

        :raises RuntimeError: if :data:`OCI_METRICS` is not set.
        """
        found = services().metrics
        if found is None:
            raise RuntimeError("Metrics are disabled: set OCI_METRICS = True.")
        body, content_type = found.text()
        return Response(body, content_type=content_type)
