"""Items of a long run: one that fails does not end the run."""

from __future__ import annotations

import logging
import typing as t
from contextlib import contextmanager

from ..catalog import FAILURES
from ..errors import RegistryError
from ..rules.wording import plural

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Sequence

logger = logging.getLogger("flask_oci.items")

#: The number of consecutive failures of the database that end a run.
MAX_CONSECUTIVE: t.Final = 10


class Items:
    """The items of one run, with the failures so far.

    :param failures: the list to which each failure is added, as text.
    :param rollback: ends the transaction of a failed item.
    """

    def __init__(self, failures: list[str], rollback: Callable[[], object]) -> None:
        self._failures = failures
        self._rollback = rollback
        self._consecutive = 0

    @contextmanager
    def each(self, item: str) -> Iterator[None]:
        """Handle one item, and record its failure instead of raising it.

        :param item: the name of the item.
        :raises Exception: if the database failed for several items in a row, because it
            will fail for the others too.
        """
        try:
            yield
        except Exception as error:
            self._rollback()
            self._consecutive += isinstance(error, FAILURES)
            if self._consecutive >= MAX_CONSECUTIVE:
                raise
            if not isinstance(error, (*FAILURES, RegistryError)):
                # The caller reports the reason, and a fault of code needs more.
                logger.exception("%s failed, and the run continues.", item)
            self._failures.append(f"{item}: {reason_of(error)}")
        else:
            self._consecutive = 0


def reason_of(error: Exception) -> str:
    """Return the reason of a failure for the operator, with its cause if it has one."""
    if isinstance(error, FAILURES):
        return f"The database does not respond. {error}"
    cause = f" ({error.__cause__})" if error.__cause__ is not None else ""
    return f"{str(error) or type(error).__name__}{cause}"


def in_words(failures: Sequence[str]) -> str | None:
    """Return the failures of a run in one sentence, or None without failures.

    :param failures: the failed items, each with the reason.
    """
    if not failures:
        return None
    return f"{plural(len(failures), 'item')} failed, such as {failures[0]}"
