"""What a registry has to be for the benchmarks."""

from __future__ import annotations

import abc
import typing as t
from contextlib import ExitStack
from pathlib import Path

from .client import Connection
from .processes import free_port

if t.TYPE_CHECKING:
    from types import TracebackType

    from .processes import Process
    from .pushing import File

#: The namespace of what is pushed.
NAMESPACE: t.Final = "bench"


class Unavailable(Exception):
    """A registry has no such thing, or it would take too long to prepare."""


class Server(abc.ABC):
    """A registry that runs for as long as the context.

    :param folder: its own; everything that it keeps is below.
    """

    name: str
    process: Process
    lacks: t.ClassVar[frozenset[str]] = frozenset()
    """The keys of rows for which it has nothing."""

    # What rows have pushed to it before they measure.
    stored: File
    manifest: str
    blob: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._stack = ExitStack()

    def __enter__(self) -> Server:
        self.folder.mkdir(parents=True)
        # Who it runs as may be another than who measures.
        self.folder.chmod(0o755)
        try:
            self.start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @abc.abstractmethod
    def start(self) -> None:
        """Start it, and have it ended by the stack; return when it answers."""

    @abc.abstractmethod
    def authorization(self, repository: str = "*") -> str | None:
        """Return the header by which somebody pulls and pushes, if one is needed.

        :param repository: which; ``*`` lists all of them.
        """

    @abc.abstractmethod
    def version(self) -> str:
        """Return which version it is."""

    def connect(self, repository: str = "*") -> Connection:
        """Return a connection by which to pull and push."""
        return Connection(self.port, self.authorization(repository))

    def token_request(self, repository: str) -> tuple[str, str]:
        """Return an address at which it issues tokens, and the header to send."""
        raise Unavailable

    def fill_tags(self, repository: str, count: int) -> None:
        """Give a repository that has an image as ``latest`` so many tags more."""
        raise Unavailable

    def fill_catalog(self, count: int, readable: int) -> None:
        """Have so many repositories, some of which who asks may pull."""
        raise Unavailable
