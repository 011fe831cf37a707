"""Verification in the background: artifacts that were pushed before the present signers
were trusted."""

from __future__ import annotations

import typing as t

from .items import Items

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from collections.abc import Sequence

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..core.attachments import AttachmentReader

#: The number of repositories of one query.
BATCH_SIZE: t.Final = 200


class VerificationRunner:
    """Reads the artifacts that were not compared with the present signers.

    :param checkpoint: called between two pieces, outside of transactions.
    """

    def __init__(
        self,
        catalog: Catalog,
        reader: AttachmentReader,
        checkpoint: Callable[[], object] = lambda: None,
    ) -> None:
        self._catalog = catalog
        self._reader = reader
        self._checkpoint = checkpoint
        self.failures: list[str] = []
        """The repositories that failed, each with the reason."""

    def run(self, names: Sequence[str] | None = None) -> int:
        """Read artifacts.

        :param names: the names of the repositories; None is all of them.
        :return: the number of artifacts that were read.
        """
        items, total = Items(self.failures, self._catalog.rollback), 0
        for name in self._names() if names is None else names:
            with items.each(name):
                found = self._catalog.repositories.find(name)
                if found.exists:
                    total += self._check(found)
            self._catalog.release()
            self._checkpoint()
        return total

    def _check(self, repository: RepositoryInfo) -> int:
        total = 0
        while count := self._reader.check(repository):
            total += count
            self._catalog.release()
            self._checkpoint()
        return total

    def _names(self) -> Iterator[str]:
        after = 0
        while True:
            found = self._catalog.unchecked_artifacts.repositories(after, BATCH_SIZE)
            for after, name in found:  # noqa: B007 - the next page begins after it.
                yield name
            if len(found) < BATCH_SIZE:
                return
