"""The interface of a registry for the benchmarks."""

from __future__ import annotations

import abc
import typing as t
from contextlib import ExitStack
from pathlib import Path

from .client import Connection
from .processes import free_port

if t.TYPE_CHECKING:
    from types import TracebackType

    from .processes import Processes
    from .pushing import File

ROOT: t.Final = Path(__file__).resolve().parent.parent

#: The namespace of all pushed repositories.
NAMESPACE: t.Final = "bench"


class Unavailable(Exception):
    """A registry lacks a feature, or its preparation would take too long."""


class Server(abc.ABC):
    """A registry that runs for the duration of the context.

    :param folder: its own folder, for all its files.
    """

    name: str
    processes: Processes
    database: str
    """The URL of its database. A registry without one lacks the rows that use it."""

    lacks: t.ClassVar[frozenset[str]] = frozenset()
    """The keys of rows that it cannot serve."""

    # Content that rows push to it before they measure.
    stored: File
    manifest: str
    blob: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._stack = ExitStack()

    def __enter__(self) -> Server:
        self.folder.mkdir(parents=True)
        # It may run as another account than the benchmark.
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
        """Start its processes, and return when it answers. The stack stops them."""

    @abc.abstractmethod
    def authorization(self, repository: str = "*") -> str | None:
        """Return the header that allows pull and push, if one is needed.

        :param repository: its name; ``*`` allows the list of all repositories.
        """

    @abc.abstractmethod
    def version(self) -> str:
        """Return its version."""

    def connect(self, repository: str = "*") -> Connection:
        """Return a connection that may pull and push."""
        return Connection(self.port, self.authorization(repository))

    def token_request(self, repository: str) -> tuple[str, str]:
        """Return the target of a token request, and the header to send."""
        raise Unavailable

    def fill_tags(self, repository: str, count: int) -> None:
        """Add this many tags to a repository that has an image as ``latest``."""
        raise Unavailable

    def fill_catalog(self, count: int, readable: int) -> None:
        """Create this many repositories, some of which the caller may pull."""
        raise Unavailable
