"""The logs of servers in the report of a failed test.

A conftest.py that imports :func:`pytest_runtest_makereport` has them for its tests.
"""

from __future__ import annotations

import itertools
import re
import typing as t

import pytest

from .server import Server

#: The number of characters of the end of a log, and the maximum number of an exception,
#: whose cause is at its end.
LENGTH: t.Final = 4000
EXCEPTION_LENGTH: t.Final = 16_000

#: The number of the last exceptions that are shown.
EXCEPTIONS: t.Final = 3

#: The line by which Flask or gunicorn logs the exception of a request that is answered
#: with 500.
EXCEPTION: t.Final = re.compile(
    "^.*(?:Exception on|Error handling request) .*$", re.MULTILINE
)


def excerpt(log: str) -> str:
    """Return the last exceptions of requests in a log, and its end."""
    end = max(len(log) - LENGTH, 0)
    starts = [found.start() for found in EXCEPTION.finditer(log, 0, end)]
    parts = [
        log[start : min(start + EXCEPTION_LENGTH, following)]
        for start, following in itertools.pairwise([*starts, end])
    ][-EXCEPTIONS:]
    return "\n[…]\n".join([*parts, log[end:]])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> t.Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the logs of all servers to the report of a failure."""
    report = yield
    if report.failed:
        for log in Server.logs():
            text = excerpt(log.read_text(errors="replace"))
            report.sections.append((f"{log.parent.name}/{log.name}", text))
    return report
