"""Whether the registry can do its work at this moment."""

from __future__ import annotations

import logging
import typing as t
from dataclasses import dataclass

from ..catalog import FAILURES
from ..errors import RegistryError
from ..errors import Unavailable
from ..storage import examine

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..catalog import Catalog

logger = logging.getLogger("flask_oci.health")

GIB: t.Final = 1024**3

#: How much room there should be, in bytes, unless a host says otherwise.
MIN_FREE: t.Final = 5 * GIB


@dataclass(frozen=True, slots=True)
class Health:
    """What was found out, by the name of what was looked at: ``database``, ``storage``
    and ``space``. Each is a sentence, or empty where all is well.

    It says nothing that a stranger could not be told; the log has the rest.
    """

    database: str
    """Whether it answers, and has the registry's tables."""

    storage: str
    """Whether something can be written."""

    space: str
    """Whether there is room. Where there is little, pulls still work."""

    @property
    def ok(self) -> bool:
        """Whether requests can be answered. Little room is a warning, and does not
        count."""
        return not self.database and not self.storage

    def as_dict(self) -> dict[str, str]:
        """Return it for a response in JSON."""
        return {
            "status": "ok" if self.ok else "failing",
            "database": self.database or "ok",
            "storage": self.storage or "ok",
            "space": self.space or "ok",
        }


def look_at(catalog: Catalog, folder: str, min_free: int) -> Health:
    """Look at everything that a request needs.

    :param folder: of the storage.
    :param min_free: for how many bytes there should be room.
    """
    free: list[int] = []

    def write() -> None:
        found = examine(folder)
        free.append(found.free)
        if found.failure is not None:
            raise Unavailable(found.failure)

    return Health(
        database=_failure(
            catalog.schema.touch, "The database does not answer as it should."
        ),
        storage=_failure(write, "Nothing can be written to the storage."),
        space="".join(_space(room, min_free) for room in free),
    )


def _failure(look: Callable[[], object], failure: str) -> str:
    try:
        look()
    except (*FAILURES, RegistryError, OSError):
        logger.exception("%s", failure)
        return failure
    return ""


def _space(free: int, min_free: int) -> str:
    if free >= min_free:
        return ""
    return f"There is room for {free / GIB:.1f} GiB."
