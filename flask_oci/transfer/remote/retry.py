"""Retries of requests: their number, the pauses, and the release of connections."""

from __future__ import annotations

import random
import time
import typing as t
from contextlib import suppress

import urllib3

#: How often something is tried, and how long the first wait is, in seconds. Each is
#: twice as long as the one before.
ATTEMPTS: t.Final = 5
FIRST_WAIT: t.Final = 0.5
LONGEST_WAIT: t.Final = 60.0

#: How many bytes a token service may answer, and an error may have.
MAX_ANSWER: t.Final = 256 * 1024

Response = urllib3.BaseHTTPResponse


def finish(response: Response) -> None:
    """Be done with an answer, whose connection can be used again if it is short."""
    with suppress(urllib3.exceptions.HTTPError):
        if len(response.read(MAX_ANSWER)) < MAX_ANSWER:
            response.release_conn()
            return
    response.close()


def pause(attempt: int, least: float = 0) -> None:
    """Wait before another try, each time twice as long, and about so long: who was
    refused together should not come back together.

    :param attempt: how many tries there have been before the one that failed.
    :param least: how long, in seconds, if somebody has said so.
    """
    wait = FIRST_WAIT * 2**attempt * random.uniform(0.5, 1)  # noqa: S311
    time.sleep(min(max(wait, least), LONGEST_WAIT))


def retry_after(response: Response) -> float:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() and len(value) < 6 else 0.0
