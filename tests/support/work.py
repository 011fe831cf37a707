"""The work of one request, in counts that are the same on every machine."""

from __future__ import annotations

import contextlib
import json.decoder
import sys
import typing as t
from dataclasses import dataclass

import sqlalchemy as sa

from tests.support.statements import collected

if t.TYPE_CHECKING:
    from types import FrameType


@dataclass
class Work:
    """The counted work of a request."""

    calls: int = 0
    """Calls of functions, in Python and in C."""

    json_bytes: int = 0
    """The length of the JSON that was parsed, in characters."""

    statements: int = 0


@contextlib.contextmanager
def counted() -> t.Iterator[Work]:
    """Count the work of the current thread within the block."""
    work = Work()
    parse = json.decoder.JSONDecoder.raw_decode.__code__

    def count(frame: FrameType, event: str, _argument: object) -> None:
        if event in ("call", "c_call"):
            work.calls += 1
            if event == "call" and frame.f_code is parse:
                work.json_bytes += len(frame.f_locals["s"])

    with collected(sa.Engine) as statements:
        sys.setprofile(count)
        try:
            yield work
        finally:
            sys.setprofile(None)
    work.statements = len(statements)
