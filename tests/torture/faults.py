"""Faults of the disk and of the database, each at one place at a time.

A call to the operating system or to the database's driver fails. The registry's own
code is unchanged.
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
    """Makes one call fail among those that pass a seam while it is armed."""

    def __init__(self) -> None:
        self._seam: Seam | None = None
        self._when: When = "before"
        self._left = 0

    @contextlib.contextmanager
    def at(self, seam: Seam, position: int, when: When) -> t.Iterator[None]:
        """Make a call fail, for the duration of the context.

        :param position: the number of the call, from zero.
        :param when: whether it fails before or after its effect.
        """
        self._seam, self._left, self._when = seam, position + 1, when
        try:
            yield
        finally:
            self._seam = None

    @property
    def happened(self) -> bool:
        """Whether the chosen call was made, and failed."""
        return self._left <= 0

    def passing(self, seam: Seam, when: When) -> bool:
        """Count a call, and return True if it has to fail now."""
        if seam != self._seam or when != self._when:
            return False
        self._left -= 1
        return self._left == 0

    def strike_disk(self, patch: pytest.MonkeyPatch) -> None:
        """Put the faults between the storage and the operating system."""
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
        """Put the faults between SQLAlchemy and the driver."""
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
            # A read conflicts with no other transaction, on any database.
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
            # A file whose close has failed cannot be closed again.
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
