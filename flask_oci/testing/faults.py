"""Disks and databases that fail, once, at a chosen moment."""

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

#: What the storage asks of the operating system, by path or by descriptor.
CALLS: t.Final = (
    *("open", "write", "fsync", "ftruncate", "replace", "rename"),
    *("mkdir", "unlink", "stat"),
)

#: Which of them a full disk refuses.
GROWING: t.Final = ("open", "write", "mkdir")


class Fault:
    """A failure that is waiting for its moment.

    It only meets the thread that has made it.

    :param at: which of the calls that are counted fails; 0 is the first.
    :param error: makes what it fails with.
    :param lasting: whether all later ones fail as well.
    """

    def __init__(
        self, at: int, error: t.Callable[[], BaseException], lasting: bool = False
    ) -> None:
        self.happened: str | None = None
        """What failed first, if it came to that: the name of a call, or a statement."""

        self._left = at
        self._error = error
        self._lasting = lasting
        self._thread = threading.get_ident()

    def call(self, name: str) -> None:
        """Fail, if it is time."""
        if threading.get_ident() != self._thread:
            return
        if self.happened and not self._lasting:
            return
        self._left -= 1
        if self._left < 0:
            self.happened = self.happened or name
            raise self._error()


class Faults:
    """What can go wrong below the registry of an application.

    Each method is a context manager: what goes wrong does so within it, for the thread
    that is in it.

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
        """Have a call fail that concerns the folder of blobs.

        :param at: which of the calls that are counted; 0 is the first.
        :param number: as in :mod:`errno`.
        :param calls: which calls are counted, by their names in :mod:`os`.
        :param lasting: whether all later ones fail as well.
        """
        fault = Fault(at, lambda: OSError(number, os.strerror(number)), lasting)
        folder = self._services().config.storage_path
        with ExitStack() as stack:
            for name in calls:
                failing = _failing(fault, folder, name, getattr(os, name))
                stack.enter_context(mock.patch.object(os, name, failing))
            yield fault

    def full_disk(self, at: int = 0) -> t.ContextManager[Fault]:
        """Have a disk that takes no more.

        :param at: how often something is written before it is full.
        """
        return self.disk(at, errno.ENOSPC, GROWING, lasting=True)

    @contextmanager
    def database(
        self,
        at: int = 0,
        error: t.Callable[[], BaseException] | None = None,
        only_commits: bool = False,
        lasting: bool = False,
    ) -> t.Iterator[Fault]:
        """Have a statement or a commit fail.

        :param at: which of them; 0 is the first.
        :param error: makes what it fails with, where that is not the database's fault.
        :param only_commits: whether no statement is counted, and commits alone are.
        :param lasting: whether all later ones fail as well.
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

    def _services(self) -> Services:
        return t.cast("Services", self.app.extensions["oci"])

    def _engine(self) -> sa.Engine:
        database = self._services().catalog._database
        with self.app.app_context():
            # The host may have several, and give its sessions a connection to one.
            return database.session.get_bind(database.models.Repository).engine


def _failing(
    fault: Fault, folder: str, name: str, function: t.Callable[..., t.Any]
) -> t.Any:
    folders = {folder, os.path.realpath(folder)}

    def wrapper(first: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        path = _path_of(first) if type(first) is int else os.fspath(first)
        if any(path == f or path.startswith(f + os.sep) for f in folders):
            fault.call(name)
        return function(first, *args, **kwargs)

    return wrapper


def _path_of(fd: int) -> str:
    getpath = getattr(fcntl, "F_GETPATH", None)
    if getpath is None:
        return os.readlink(f"/proc/self/fd/{fd}")
    # macOS has no folder of them.
    found: bytes = fcntl.fcntl(fd, getpath, bytes(1024))
    return os.fsdecode(found.rstrip(b"\0"))
