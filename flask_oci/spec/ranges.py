"""Byte ranges: of a download (RFC 9110, section 14) and of an upload's chunk
(spec.md, "Pushing a blob in chunks").
"""

from __future__ import annotations

import re
import typing as t
from itertools import pairwise

from ..errors import BlobUploadInvalid

#: A request for more pieces than this gets the whole blob: the pieces would
#: cost more in headers and seeks than they save.
MAX_RANGES: t.Final = 1024

# A position may be far behind the end, and int() reads 4300 digits.
_RANGE = re.compile(r"\s*([0-9]{0,4000})-([0-9]{0,4000})\s*", re.ASCII)
_CONTENT_RANGE = re.compile(
    r"(?:bytes[ =])?([0-9]{1,19})-([0-9]{1,19})(?:/(?:[0-9]{1,19}|\*))?", re.ASCII
)


class Span(t.NamedTuple):
    """The bytes from ``start`` up to, and without, ``stop``."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many bytes there are in it."""
        return self.stop - self.start


class Unsatisfiable(ValueError):
    """The header names no byte that the content has: a 416."""


def parse_range(header: str | None, size: int) -> list[Span] | None:
    """Read a ``Range`` header (RFC 9110, section 14.2).

    :param header: its value, or None.
    :param size: how many bytes the content has.
    :return: the spans to send, in the order asked for, or None when the
        content is to be sent whole: no header, another unit than bytes, or so
        many or such overlapping ranges that answering them one by one would
        only serve an attacker (RFC 9110, section 14.2, last paragraph).
    :raises Unsatisfiable: when the ranges are malformed, or none of them
        begins inside the content.
    """
    if header is None:
        return None
    unit, equals, ranges = header.partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return None
    pieces = ranges.split(",", MAX_RANGES)
    if len(pieces) > MAX_RANGES:
        return None
    # "A recipient MUST parse and ignore a reasonable number of empty list
    # elements" (RFC 9110, section 5.6.1.2).
    pieces = [piece for piece in pieces if piece.strip()]
    spans = [span for piece in pieces if (span := _resolve(piece, size))]
    if pieces and not size:
        # Clients ask for the rest of an empty blob after they resume (oras-go#145), and
        # an answer with all of it is correct (RFC 9110, section 14.2).
        return None
    if not spans:
        raise Unsatisfiable(header)
    return None if _overlapping(spans) else spans


def parse_content_range(header: str | None) -> Span | None:
    """Read the ``Content-Range`` of a chunk: "It MUST match the following
    regular expression: ``^[0-9]+-[0-9]+$``", both ends inclusive.

    The form of RFC 9110, ``bytes 0-9/*``, is taken as well, since general HTTP
    clients write that.

    :return: the span of the upload that the body is meant for, or None when
        there is no header.
    :raises BlobUploadInvalid: when it is malformed or ends before it begins.
    """
    if header is None:
        return None
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None or int(match[2]) < int(match[1]):
        raise BlobUploadInvalid(
            "A chunk's Content-Range is written as '<first>-<last>', the"
            " positions of its first and its last byte.",
            detail=header,
        )
    return Span(int(match[1]), int(match[2]) + 1)


def _resolve(piece: str, size: int) -> Span | None:
    match = _RANGE.fullmatch(piece)
    if match is None or match[0].strip() == "-":
        raise Unsatisfiable(piece)
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        return Span(size - length, size) if length else None
    start, stop = int(first), min(int(last) + 1, size) if last else size
    if last and int(last) < start:
        raise Unsatisfiable(piece)
    return Span(start, stop) if start < size else None


def _overlapping(spans: list[Span]) -> bool:
    in_order = sorted(spans)
    return any(before.stop > after.start for before, after in pairwise(in_order))
