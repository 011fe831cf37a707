"""Byte ranges of downloads (RFC 9110, section 14) and of upload chunks (spec.md,
"Pushing a blob in chunks").
"""

from __future__ import annotations

import re
import typing as t
from itertools import pairwise

from ..errors import BlobUploadInvalid

#: The maximum number of ranges in one request. With more of them the registry sends the
#: whole blob, because the headers and seeks would cost more than they save.
MAX_RANGES: t.Final = 1024

# A position may be far after the end. int() accepts at most 4300 digits.
_RANGE = re.compile(r"\s*([0-9]{0,4000})-([0-9]{0,4000})\s*", re.ASCII)
_CONTENT_RANGE = re.compile(
    r"(?:bytes[ =])?([0-9]{1,19})-([0-9]{1,19})(?:/(?:[0-9]{1,19}|\*))?", re.ASCII
)


class Span(t.NamedTuple):
    """The bytes from ``start`` to ``stop``, without ``stop``."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.stop - self.start


class Unsatisfiable(ValueError):
    """The header names no byte of the content (status 416)."""


def parse_range(header: str | None, size: int) -> list[Span] | None:
    """Return the spans that a ``Range`` header asks for (RFC 9110, section 14.2).

    :param header: the value of the header, or None.
    :param size: the size of the content in bytes.
    :return: the spans in the order of the header, or None to send the whole content.
        That is for no header and for another unit than bytes. It is also for too many
        or overlapping ranges, which may be an attack (RFC 9110, section 14.2, last
        paragraph).
    :raises Unsatisfiable: if the ranges are malformed, or if none of them begins inside
        the content.
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
    """Return the span of a chunk from its ``Content-Range``: "It MUST match the
    following regular expression: ``^[0-9]+-[0-9]+$``", both ends inclusive.

    The registry also accepts ``bytes 0-9/*``, the form of RFC 9110, because general
    HTTP clients send that.

    :param header: the value of the header, or None.
    :return: the span of the body in the upload, or None without a header.
    :raises BlobUploadInvalid: if it is malformed or ends before it begins.
    """
    if header is None:
        return None
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None or int(match[2]) < int(match[1]):
        raise BlobUploadInvalid(
            "Write the Content-Range of a chunk as '<first>-<last>', the positions of"
            " its first and its last byte.",
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
