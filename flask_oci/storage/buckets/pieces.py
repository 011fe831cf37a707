"""Bodies of requests that are sent piece by piece."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator

#: The number of bytes that one call sends.
PIECE: t.Final = 256 * 1024


class Pieces:
    """The body of a request, as pieces.

    The timeout of a socket limits the time of a call that sends bytes. One call for a
    whole part would limit the time of its transfer, not the silence of the store.

    :param body: the bytes, which do not change while they are sent.
    """

    def __init__(self, body: bytes | bytearray) -> None:
        self._body = body

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes | bytearray]:
        for start in range(0, len(self._body), PIECE):
            # A view would keep the buffer from changing its size after a failure.
            yield self._body[start : start + PIECE]

    def seek(self, position: int, /) -> int:
        """Return 0: each iteration begins at the first byte."""
        return 0


def in_pieces(body: object) -> object:
    """Return a body whose pieces are sent one by one, if it is large."""
    if isinstance(body, bytes | bytearray) and len(body) > PIECE:
        return Pieces(body)
    return body
