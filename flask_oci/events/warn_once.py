"""Advice in the log, for whoever runs the application: each piece once."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from flask import current_app
from flask import Flask

_given: WeakKeyDictionary[Flask, set[str]] = WeakKeyDictionary()


def advise(advice: str, *values: object) -> None:
    """Write a piece of advice to the application's log, the first time that a process
    has it to give. What is wrong with a setup is so for every request.

    :param advice: what to do, with placeholders.
    :param values: what stands in their places; they do not make it another piece.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    given = _given.setdefault(app, set())
    if advice not in given:
        given.add(advice)
        app.logger.warning(advice, *values)
