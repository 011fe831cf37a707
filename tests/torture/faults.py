"""Faults of the disk and of the database, each at one place at a time.

What fails is the operating system, or the database's driver, as the registry sees
them. Its own code is as it is.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import sqlite3
import types
import typing as t

import pytest
from flask import Flask

from flask_oci.storage import local
from flask_oci.storage import posix
from flask_oci.storage import upload
from flask_oci.storage import upload_hash
from tests.support.host import db

When = t.Literal["before", "after"]
Seam = t.Literal["disk", "database", "conflict"]

_CALLS = (
    *("open", "close", "stat", "fstat", "lseek", "write", "pread", "fsync"),
    *("ftruncate", "replace", "mkdir", "unlink"),
)


class Faults:
    """Makes one call fail, of those that pass a seam while it is armed."""

    def __init__(self) -> None:
        self._seam: Seam | None = None
        self._when: When = "before"
        self._left = 0

    @contextlib.contextmanager
    def at(self, seam: Seam, position: int, when: When) -> t.Iterator[None]:
        """Have a call fail, for as long as the context.

        :param position: which of them, counted from zero.
        :param when: before it has done anything, or when it has done everything.
        """
        self._seam, self._left, self._when = seam, position + 1, when
        try:
            yield
        finally:
            self._seam = None

    @property
    def happened(self) -> bool:
        """Whether so many calls came that it was the turn of the one to fail."""
        return self._left <= 0

    def passing(self, seam: Seam, when: When) -> bool:
        """Count a call, and tell whether it has to fail now."""
        if seam != self._seam or when != self._when:
            return False
        self._left -= 1
        return self._left == 0

    def strike_disk(self, patch: pytest.MonkeyPatch) -> None:
        """Stand between the storage and the operating system."""
        calls = {name: self._failing(getattr(os, name)) for name in _CALLS}
        system = types.SimpleNamespace(**{**vars(os), **calls})
        locks = types.SimpleNamespace(
            **{**vars(fcntl), "flock": self._failing(fcntl.flock)}
        )
        for module in (posix, local, upload_hash, upload):
            patch.setattr(module, "os", system)
        for module in (posix, upload):
            patch.setattr(module, "fcntl", locks)

    def strike_database(self, app: Flask, patch: pytest.MonkeyPatch) -> None:
        """Stand between SQLAlchemy and the driver."""
        with app.app_context():
            engine = db.engine
        commit = engine.dialect.do_commit

        def do_commit(connection: t.Any) -> None:
            writes = connection.in_transaction
            if self.passing("database", "before"):
                raise _failure()
            if writes and self.passing("conflict", "before"):
                raise _conflict()
            commit(connection)
            if self.passing("database", "after"):
                raise _failure()

        patch.setattr(engine.dialect, "do_commit", do_commit)
        for name in ("do_execute", "do_executemany", "do_execute_no_params"):
            execute = self._executing(getattr(engine.dialect, name))
            patch.setattr(engine.dialect, name, execute)

    def _executing(self, execute: t.Callable[..., None]) -> t.Callable[..., None]:
        def executing(cursor: t.Any, *arguments: t.Any) -> None:
            # Readers meet no rivals: they are not refused, on any database.
            if cursor.connection.in_transaction and self.passing("conflict", "before"):
                raise _conflict()
            if self.passing("database", "before"):
                raise _failure()
            execute(cursor, *arguments)
            if self.passing("database", "after"):
                raise _failure()

        return executing

    def _failing(self, function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        @functools.wraps(function)
        def call(*arguments: t.Any, **keywords: t.Any) -> t.Any:
            # Nobody can close a file any more when closing it has failed.
            never_before = function is os.close
            if self.passing("disk", "before") and not never_before:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            result = function(*arguments, **keywords)
            if self.passing("disk", "after"):
                if function is os.open:
                    os.close(result)
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return result

        return call


def _failure() -> sqlite3.OperationalError:
    return sqlite3.OperationalError("disk I/O error")


def _conflict() -> sqlite3.OperationalError:
    return sqlite3.OperationalError("database is locked")
