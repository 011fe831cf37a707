"""Disks and databases that fail, once, at a chosen moment."""

from __future__ import annotations

import os
import sqlite3
import threading
import typing as t
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from flask import Flask

from host import db

#: What the storage asks of the operating system, by path or by descriptor.
CALLS = ("open", "write", "fsync", "ftruncate", "replace", "mkdir", "unlink", "stat")


class Fault:
    """A failure that is waiting for its moment.

    :param at: which of the calls that are counted fails.
    :param error: makes what it fails with.
    """

    def __init__(self, at: int, error: t.Callable[[], BaseException]) -> None:
        self.happened: str | None = None
        """What failed, if it came to that."""

        self._left = at
        self._error = error
        self._thread = threading.get_ident()

    def call(self, name: str) -> None:
        """Fail, if it is time."""
        if threading.get_ident() != self._thread or self.happened:
            return
        self._left -= 1
        if self._left < 0:
            self.happened = name
            raise self._error()


@contextmanager
def disk_fault(
    at: int, number: int, calls: t.Sequence[str] = CALLS
) -> t.Iterator[Fault]:
    """Have a call that concerns a storage folder fail.

    :param number: as in :mod:`errno`.
    :param calls: which calls are counted.
    """
    fault = Fault(at, lambda: OSError(number, os.strerror(number)))
    with pytest.MonkeyPatch.context() as patch:
        for name in calls:
            patch.setattr(os, name, _failing(fault, name, getattr(os, name)))
        yield fault


def _failing(fault: Fault, name: str, function: t.Callable[..., t.Any]) -> t.Any:
    def wrapper(first: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        path = os.readlink(f"/proc/self/fd/{first}") if type(first) is int else first
        if f"{os.sep}oci" in str(path):
            fault.call(name)
        return function(first, *args, **kwargs)

    return wrapper


@contextmanager
def database_fault(
    app: Flask, at: int, error: t.Callable[[], BaseException] | None = None
) -> t.Iterator[Fault]:
    """Have a statement or a commit fail.

    :param error: makes what it fails with, where that is not the database's fault.
    """
    broken = sqlite3.OperationalError("disk I/O error")
    failure = error or (lambda: sa.exc.OperationalError("", {}, broken))
    fault = Fault(at, failure)
    with app.app_context():
        engine = db.engine

    def on_statement(*args: t.Any) -> None:
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
