"""A strict reader of CBOR (RFC 8949), for the items that COSE envelopes have.

General readers build dates, regular expressions and numbers of any size from tags.
This one reads integers, strings, arrays and maps of a definite length, and leaves tags
to its caller.
"""

from __future__ import annotations

import typing as t

#: The maximum depth of arrays, maps and tags within each other.
MAX_DEPTH: t.Final = 8

#: The number of bytes of an argument that follows the initial byte (section 3).
_LENGTHS: t.Final = {24: 1, 25: 2, 26: 4, 27: 8}


class Tagged(t.NamedTuple):
    """An item with a tag, which says what the item means."""

    tag: int
    item: t.Any


class CborInvalid(ValueError):
    """The content is not CBOR, or has items that this reader does not know."""


def read_cbor(content: bytes) -> t.Any:
    """Return the only item of some content.

    Arrays are lists, and maps are dictionaries whose keys are integers or texts.

    :raises CborInvalid: if the content is no such item, or a key of a map is repeated.
    """
    reader = _Reader(content)
    item = reader.item(MAX_DEPTH)
    if reader.position != len(content):
        raise CborInvalid("bytes follow the item")
    return item


def cbor_bytes(content: bytes) -> bytes:
    """Return the encoding of a byte string."""
    return _head(2, len(content)) + content


def cbor_text(text: str) -> bytes:
    """Return the encoding of a text."""
    content = text.encode()
    return _head(3, len(content)) + content


def _head(kind: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([kind << 5 | argument])
    code, length = next(
        (code, length)
        for code, length in _LENGTHS.items()
        if argument < 1 << 8 * length
    )
    return bytes([kind << 5 | code]) + argument.to_bytes(length, "big")


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self.position = 0

    def item(self, depth: int) -> t.Any:
        """Return the next item."""
        if not depth:
            raise CborInvalid("the items are nested too deep")
        (initial,) = self._take(1)
        kind, code = initial >> 5, initial & 31
        argument = code
        if code >= 24:
            if code not in _LENGTHS:
                raise CborInvalid("an item has no definite length")
            argument = int.from_bytes(self._take(_LENGTHS[code]), "big")
        match kind:
            case 0:
                return argument
            case 1:
                return -1 - argument
            case 2:
                return self._take(argument)
            case 3:
                return self._text(argument)
            case 4:
                return self._array(argument, depth - 1)
            case 5:
                return self._map(argument, depth - 1)
            case 6:
                return Tagged(argument, self.item(depth - 1))
        raise CborInvalid("it has a simple value or a fraction")

    def _take(self, length: int) -> bytes:
        taken = self._content[self.position : self.position + length]
        if len(taken) != length:
            raise CborInvalid("it ends within an item")
        self.position += length
        return taken

    def _text(self, length: int) -> str:
        try:
            return self._take(length).decode()
        except UnicodeDecodeError:
            raise CborInvalid("a text is not UTF-8") from None

    def _array(self, length: int, depth: int) -> list[t.Any]:
        self._check_room(length)
        return [self.item(depth) for _ in range(length)]

    def _map(self, length: int, depth: int) -> dict[int | str, t.Any]:
        self._check_room(length)
        found: dict[int | str, t.Any] = {}
        for _ in range(length):
            key = self.item(depth)
            if not isinstance(key, (int, str)) or key in found:
                raise CborInvalid("a key of a map is repeated, or no integer or text")
            found[key] = self.item(depth)
        return found

    def _check_room(self, length: int) -> None:
        # Each item takes a byte at least.
        if length > len(self._content) - self.position:
            raise CborInvalid("it ends within an item")
