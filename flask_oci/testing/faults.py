"""Failures of disks and databases at a chosen call."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import threading
import typing as t
from contextlib import contextmanager
from contextlib import ExitStack
from unittest import mock

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from flask import Flask

    from ..services import Services

#: The functions of the operating system that the storage calls.
CALLS: t.Final = (
    *("open", "write", "fsync", "ftruncate", "replace", "rename"),
    *("mkdir", "unlink", "stat"),
)

#: Those that fail on a full disk, except ``open`` of existing files.
GROWING: t.Final = ("open", "write", "mkdir")

#: Returns True if a call, with a function name and arguments, counts.
Counts = t.Callable[[str, tuple[t.Any, ...]], bool]


class Fault:
    """A failure at a chosen call.

    It only affects the thread that has created it.

    :param at: the index of the counted call that fails, from 0.
    :param error: returns the exception to raise.
    :param lasting: whether all later calls fail too.
    """

    def __init__(
        self, at: int, error: t.Callable[[], BaseException], lasting: bool = False
    ) -> None:
        self.happened: str | None = None
        """The first failed call or statement, or None."""

        self._left = at
        self._error = error
        self._lasting = lasting
        self._thread = threading.get_ident()

    def call(self, name: str) -> None:
        """Count a call, and fail if it is the chosen one."""
        if threading.get_ident() != self._thread:
            return
        if self.happened and not self._lasting:
            return
        self._left -= 1
        if self._left < 0:
            self.happened = self.happened or name
            raise self._error()


class Faults:
    """Failures below the registry of an application.

    Each method is a context manager. The failure affects the thread within it.

    :param app: the application.
    """

    def __init__(self, app: Flask) -> None:
        self.app = app

    @contextmanager
    def disk(
        self,
        at: int = 0,
        number: int = errno.EIO,
        calls: t.Sequence[str] = CALLS,
        lasting: bool = False,
    ) -> t.Iterator[Fault]:
        """Let a call on the storage folder fail.

        :param at: the index of the counted call, from 0.
        :param number: the error number, as in :mod:`errno`.
        :param calls: the names of the counted functions of :mod:`os`.
        :param lasting: whether all later calls fail too.
        """
        fault = Fault(at, lambda: OSError(number, os.strerror(number)), lasting)
        with self._patched(fault, calls):
            yield fault

    @contextmanager
    def full_disk(self, at: int = 0) -> t.Iterator[Fault]:
        """Let all writes fail after some, while reads succeed.

        :param at: the number of writes before the disk is full.
        """
        number = errno.ENOSPC
        fault = Fault(at, lambda: OSError(number, os.strerror(number)), lasting=True)
        with self._patched(fault, GROWING, _grows):
            yield fault

    @contextmanager
    def database(
        self,
        at: int = 0,
        error: t.Callable[[], BaseException] | None = None,
        only_commits: bool = False,
        lasting: bool = False,
    ) -> t.Iterator[Fault]:
        """Let a statement or a commit fail.

        :param at: the index of the failing one, from 0.
        :param error: returns the exception to raise; by default one of the database.
        :param only_commits: whether to count commits only.
        :param lasting: whether all later ones fail too.
        """
        broken = sqlite3.OperationalError("disk I/O error")
        failure = error or (lambda: sa.exc.OperationalError("", {}, broken))
        fault = Fault(at, failure, lasting)
        engine = self._engine()

        def on_statement(*args: t.Any) -> None:
            if not only_commits:
                fault.call(args[2])

        def on_commit(_: object) -> None:
            fault.call("COMMIT")

        sa.event.listen(engine, "before_cursor_execute", on_statement)
        sa.event.listen(engine, "commit", on_commit)
        try:
            yield fault
        finally:
            sa.event.remove(engine, "before_cursor_execute", on_statement)
            sa.event.remove(engine, "commit", on_commit)

    @contextmanager
    def _patched(
        self, fault: Fault, calls: t.Sequence[str], counts: Counts | None = None
    ) -> t.Iterator[None]:
        folder = self._services().config.storage_path

        def failing(name: str, function: t.Callable[..., t.Any]) -> t.Any:
            def wrapper(*args: t.Any, **kwargs: t.Any) -> t.Any:
                if _is_below(folder, args[0]) and (not counts or counts(name, args)):
                    fault.call(name)
                return function(*args, **kwargs)

            return wrapper

        with ExitStack() as stack:
            for name in calls:
                function = failing(name, getattr(os, name))
                stack.enter_context(mock.patch.object(os, name, function))
            yield

    def _services(self) -> Services:
        return t.cast("Services", self.app.extensions["oci"])

    def _engine(self) -> sa.Engine:
        database = self._services().catalog._database
        with self.app.app_context():
            # The host may have several engines, and bind a session to a connection.
            return database.session.get_bind(database.models.Repository).engine


def _grows(name: str, arguments: tuple[t.Any, ...]) -> bool:
    path, *rest = arguments
    return name != "open" or (rest[0] & os.O_CREAT and not os.path.exists(path))


def _is_below(folder: str, path: t.Any) -> bool:
    path = _path_of(path) if type(path) is int else os.fsdecode(path)
    return any(
        path == above or path.startswith(above + os.sep)
        for above in (folder, os.path.realpath(folder))
    )


def _path_of(fd: int) -> str:
    getpath = getattr(fcntl, "F_GETPATH", None)
    if getpath is None:
        return os.readlink(f"/proc/self/fd/{fd}")
    # macOS has no such folder.
    found: bytes = fcntl.fcntl(fd, getpath, bytes(1024))
    return os.fsdecode(found.rstrip(b"\0"))
