"""Interleaving: a rival acts at a chosen step of an operation."""

from __future__ import annotations

import os
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.host import db

#: The seconds that a thread waits for a rival, which may itself wait for the thread.
PATIENCE = 0.1


class Steps:
    """The steps of a thread: its statements, commits and file operations.

    :param at: the number of the step before which the rival acts; None is never.
    """

    def __init__(self, rival: t.Callable[[], object], at: int | None) -> None:
        self.count = 0
        self._at = at
        self._rival = rival
        self._thread = threading.get_ident()
        self._rivals: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    def step(self, *_: object) -> None:
        """Count a step, and let the rival act if it is the chosen one."""
        if threading.get_ident() != self._thread:
            return
        self.count += 1
        if self.count - 1 == self._at:
            thread = threading.Thread(target=self._act)
            self._rivals.append(thread)
            thread.start()
            # A rival that waits for a lock of this thread continues after it.
            thread.join(PATIENCE)

    def join(self) -> None:
        """Wait for the rival."""
        for thread in self._rivals:
            thread.join()

    def finish(self) -> None:
        """Raise the error of the rival."""
        for error in self._errors:
            raise error

    def _act(self) -> None:
        try:
            self._rival()
        except BaseException as error:
            self._errors.append(error)


@contextmanager
def interleaved(
    app: Flask, rival: t.Callable[[], object], at: int | None = None
) -> t.Iterator[Steps]:
    """Let a rival act at one step of this thread.

    :param rival: runs in a separate thread.
    :param at: the number of the step.
    """
    with app.app_context():
        engine = db.engine
    steps = Steps(rival, at)
    events = ("before_cursor_execute", "commit")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "unlink"):
            patch.setattr(os, name, _stepping(steps, getattr(os, name)))
        for event in events:
            sa.event.listen(engine, event, steps.step)
        try:
            yield steps
        finally:
            # A listener must not be removed while the rival executes statements.
            steps.join()
            for event in events:
                sa.event.remove(engine, event, steps.step)
            steps.finish()


def _stepping(steps: Steps, function: t.Callable[..., t.Any]) -> t.Any:
    def wrapper(*args: t.Any, **kwargs: t.Any) -> t.Any:
        if isinstance(args[0], str) and f"{os.sep}oci{os.sep}" in args[0]:
            steps.step()
        return function(*args, **kwargs)

    return wrapper


def in_thread(act: t.Callable[[], object]) -> t.Callable[[], None]:
    """Return a function whose first call runs ``act`` in a thread, and waits for it.

    A request within a request of the same thread would replace its user.
    """
    left = [act]

    def once() -> None:
        if left:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(left.pop()).result()

    return once
