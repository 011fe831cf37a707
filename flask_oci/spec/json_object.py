"""JSON objects from clients, read with bounds on their depth and number of values."""

from __future__ import annotations

import json
import re
import typing as t

from ..errors import ManifestInvalid

#: The maximum depth of nested JSON in a manifest. It bounds the cost of parsing.
MAX_DEPTH: t.Final = 64

#: The maximum number of JSON values and keys in a manifest. The size of the text does
#: not bound the cost, because a value takes up to a hundred times its bytes in memory.
#: An index of 10 000 children with platforms has 170 000.
MAX_VALUES: t.Final = 200_000

#: The maximum number of values and keys in a blob that the registry reads, such as the
#: config of an image. Real configs have at most some thousands.
MAX_BLOB_VALUES: t.Final = 10_000

# The decoder's own function, in C: it returns a string and the position behind it.
_scan_string: t.Final[t.Callable[[str, int], tuple[str, int]]] = t.cast(
    t.Any, json.JSONDecoder()
).parse_string
_BRACKET = re.compile(r"[\[\]{}]")


def read_object(content: bytes) -> dict[str, t.Any]:
    """Return a JSON object that all parsers read alike.

    :param content: JSON in UTF-8, nested at most :data:`MAX_DEPTH` levels deep.
    :raises ManifestInvalid: if it is not such an object.
    """
    return _read(content, MAX_VALUES, object_pairs_hook=_without_duplicates)


def read_blob_object(content: bytes) -> dict[str, t.Any]:
    """Return a JSON object from a blob, whose content was not validated.

    Of two equal keys, the last one counts.

    :raises ManifestInvalid: if it is not an object, is too deep, or has more than
        :data:`MAX_BLOB_VALUES` values and keys.
    """
    return _read(content, MAX_BLOB_VALUES)


def read_file_object(content: bytes) -> dict[str, t.Any]:
    """Return a JSON object from an attached file, such as an SBOM, which may be as
    large as a manifest. Of two equal keys, the last one counts.

    :raises ManifestInvalid: if it is not an object, is too deep, or has more than
        :data:`MAX_VALUES` values and keys.
    """
    return _read(content, MAX_VALUES)


def read_stored_object(content: bytes) -> dict[str, t.Any]:
    """Return a JSON object that :func:`read_object` accepted before it was stored.

    It takes a tenth of the time, because it checks nothing again.

    :raises ManifestInvalid: if it is not an object.
    """
    return _read(content, None)


def _read(content: bytes, most: int | None, **options: t.Any) -> dict[str, t.Any]:
    """Read a JSON object.

    :param most: the maximum number of values and keys; None does not check the bounds.
    :param options: the options of :func:`json.loads`.
    """
    try:
        text = content.decode("utf-8")
        if most is not None:
            _refuse_excess(text, most)
        value = json.loads(text, parse_constant=_no_constant, **options)
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(
            f"The manifest is not JSON in UTF-8: {error}."[:200]
        ) from None
    if not isinstance(value, dict):
        raise ManifestInvalid("A manifest must be a JSON object.")
    return value


def _refuse_excess(text: str, most: int) -> None:
    """Refuse a JSON text that is deep or has many values, before it is read.

    :raises ManifestInvalid: if it nests deeper than :data:`MAX_DEPTH`, or has more
        than ``most`` values and keys.
    :raises ValueError: if a string in it does not end.
    """
    # Each value but the first of its container follows a comma, and an object or a
    # list opens with a bracket. Marks inside strings only make the estimate too high.
    brackets = text.count("[") + text.count("{")
    if brackets <= MAX_DEPTH and brackets + text.count(",") <= most:
        return
    values, depth = 0, 0
    for part in _outside_strings(text):
        values += 1 + part.count(",")
        for bracket in _BRACKET.finditer(part):
            opens = bracket[0] in "[{"
            depth += 1 if opens else -1
            values += opens
            if depth < 0:
                raise ManifestInvalid("The brackets of the manifest do not match.")
            if depth > MAX_DEPTH:
                raise ManifestInvalid(
                    f"A manifest must nest at most {MAX_DEPTH} levels deep."
                )
            if values > most:
                break
        if values > most:
            raise ManifestInvalid(
                f"A manifest must have at most {most} values and keys."
            )


def _outside_strings(text: str) -> t.Iterator[str]:
    """Yield the parts of a JSON text between its strings.

    :raises ValueError: if a string does not end.
    """
    start = 0
    while (quote := text.find('"', start)) >= 0:
        yield text[start:quote]
        _, start = _scan_string(text, quote + 1)
    yield text[start:]


def _without_duplicates(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        # Parsers differ in which of two equal keys they use.
        raise ValueError("a key appears twice in one object")
    return fields


def _no_constant(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is not JSON")
