"""Retries of requests: their number, the pauses, and the release of connections."""

from __future__ import annotations

import random
import re
import time
import typing as t
from contextlib import suppress

import urllib3

#: The number of attempts, and the first and the longest pause, in seconds. Each is
#: twice the one before.
ATTEMPTS: t.Final = 5
FIRST_WAIT: t.Final = 0.5
LONGEST_WAIT: t.Final = 60.0

#: The largest response of a token service and the largest error, in bytes.
MAX_ANSWER: t.Final = 256 * 1024

#: The object that a message of urllib3 begins with.
_OBJECT: t.Final = re.compile(r"HTTPS?Connection(Pool)?\([^()]{0,500}\): ")

Response = urllib3.BaseHTTPResponse


def finish(response: Response) -> None:
    """Read the rest of a response, and reuse its connection if the rest is short."""
    with suppress(urllib3.exceptions.HTTPError):
        if len(response.read(MAX_ANSWER)) < MAX_ANSWER:
            response.release_conn()
            return
    response.close()


def pause(attempt: int, least: float = 0) -> None:
    """Wait before another attempt, with exponential and random pauses, so that clients
    that failed together do not return together.

    :param attempt: the number of earlier attempts.
    :param least: the pause that the registry asked for, in seconds.
    """
    wait = FIRST_WAIT * 2**attempt * random.uniform(0.5, 1)  # noqa: S311
    time.sleep(min(max(wait, least), LONGEST_WAIT))


def reason(error: BaseException) -> str:
    """Return the message of an error of urllib3, without representations of objects."""
    text = str(error)
    if len(error.args) == 2 and isinstance(error.args[1], Exception):
        text, cause = str(error.args[0]).rstrip("."), str(error.args[1])
        if cause not in text:
            text = f"{text}: {reason(error.args[1])}"
    return _OBJECT.sub("", text)


def retry_after(response: Response) -> float:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() and len(value) < 6 else 0.0
