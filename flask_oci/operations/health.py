"""Health: whether the database and the storage work at this moment."""

from __future__ import annotations

import logging
import typing as t
from dataclasses import dataclass

from ..catalog import FAILURES
from ..errors import RegistryError
from ..errors import Unavailable
from ..rules.quota import readable

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..catalog import Catalog
    from ..core.storage_identity import StorageIdentity
    from ..storage import Storage
    from .jobs import JobReports

logger = logging.getLogger("flask_oci.health")


#: The default of the free disk space, in bytes, below which there is a warning.
MIN_FREE: t.Final = 5 * 1024**3


@dataclass(frozen=True, slots=True)
class Health:
    """The problems of the database, the storage and the disk space.

    Each of them is a sentence, or None without a problem. The sentences contain no
    confidential details: the log has those.
    """

    database: str | None
    """The problem if the database does not answer or lacks tables of the registry."""

    storage: str | None
    """The problem if the storage cannot be written to, or does not belong to the
    database."""

    space: str | None
    """The warning if the disk space is low. Pulls still work."""

    work: str | None = None
    """The warning if no process runs the background jobs, or if one of them failed.
    Requests are answered regardless."""

    @property
    def ok(self) -> bool:
        """Whether the registry can answer requests, which low disk space allows."""
        return self.database is None and self.storage is None

    def as_dict(self) -> dict[str, str]:
        """Return the problems for a JSON response, with ``ok`` instead of None."""
        return {
            "status": "ok" if self.ok else "failing",
            "database": self.database or "ok",
            "storage": self.storage or "ok",
            "space": self.space or "ok",
            "work": self.work or "ok",
        }


def look_at(
    catalog: Catalog,
    storage: Storage,
    identity: StorageIdentity,
    min_free: int,
    jobs: JobReports,
) -> Health:
    """Check the database, the storage and the disk space.

    :param storage: the storage, which knows its reserve of free space.
    :param identity: compares the storage with the database.
    :param min_free: the free disk space, in bytes, below which there is a warning.
    :param jobs: the state of the background jobs.
    """
    free: list[int | None] = []
    foreign: list[str | None] = []

    def write() -> None:
        found = storage.examine()
        free.append(found.free)
        if found.failure is not None:
            raise Unavailable(found.failure)
        foreign.append(identity.problem())
        catalog.release()

    database = _failure(
        catalog.schema.touch, "The database does not answer as it should."
    )
    unwritable = _failure(write, "The storage cannot be written to.")
    return Health(
        database=database,
        storage=unwritable or next(iter(foreign), None),
        space=_space(next(iter(free), None), _reserve(storage), min_free),
        work=_work(jobs) if database is None else None,
    )


def _work(jobs: JobReports) -> str | None:
    """Return a warning without the reasons of failures, which are confidential."""
    try:
        reports = jobs.all()
    except FAILURES:
        return "The state of the background jobs is unknown."
    failed = [job.name for job in reports if job.failure is not None]
    if failed:
        return f"The last run of these jobs failed: {', '.join(failed)}."
    overdue = [job.name for job in reports if job.is_overdue and not job.is_running]
    if overdue:
        return f"No process runs these jobs: {', '.join(overdue)}."
    return None


def _failure(look: Callable[[], object], failure: str) -> str | None:
    try:
        look()
    except (*FAILURES, RegistryError, OSError):
        logger.exception("%s", failure)
        return failure
    return None


def _reserve(storage: Storage) -> int:
    try:
        return storage.reserve() or 0
    except RegistryError:
        return 0


def _space(free: int | None, reserve: int, min_free: int) -> str | None:
    if free is None:
        return None
    if free < reserve:
        return (
            f"Pushes are refused: {readable(free)} of disk space are free, and"
            f" {readable(reserve)} are reserved."
        )
    if free >= min_free:
        return None
    return f"Only {readable(free)} of disk space are free."
