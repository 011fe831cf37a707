"""Warnings to the operator in the application's log, each once for a process."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from flask import current_app
from flask import Flask

_given: WeakKeyDictionary[Flask, set[str]] = WeakKeyDictionary()


def advise(advice: str, *values: object) -> None:
    """Log a warning about the setup of the application, once for each process. The
    fault exists in every request.

    :param advice: the problem and its remedy, with placeholders.
    :param values: the values of the placeholders. The same advice with other values is
        not logged again.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    given = _given.setdefault(app, set())
    if advice not in given:
        given.add(advice)
        app.logger.warning(advice, *values)
