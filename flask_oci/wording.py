"""Wording of messages: numbers that agree with their nouns."""

from __future__ import annotations


def plural(count: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 tag``, ``2 tags``, ``0 entries``.

    :param count: the number.
    :param singular: the noun for exactly one.
    :param plural: the noun for any other number. None adds ``s`` to the singular.
    """
    return f"{count} {singular if count == 1 else plural or f'{singular}s'}"
