"""Authentication challenges of registries (``WWW-Authenticate``).

Distribution's docs/content/spec/auth/token.md and oauth.md describe the token requests.
"""

from __future__ import annotations

import re
import typing as t

#: The maximum length of the challenges of one response, in characters. Real ones have
#: some hundreds; the rest is ignored.
MAX_LENGTH: t.Final = 16 * 1024

#: A quoted string, a word, or a separator. A string without an end extends to the end,
#: so that every character is read once.
_TOKEN: t.Final = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"?|([^\s,="]+)|([,=])', re.S)
_SCHEMES: t.Final = ("basic", "bearer")


class Challenge(t.NamedTuple):
    """A scheme and its parameters."""

    scheme: str
    """``basic`` or ``bearer``."""

    parameters: dict[str, str]


class _Token(t.NamedTuple):
    text: str
    is_word: bool
    is_mark: bool


def parse(values: t.Iterable[str]) -> list[Challenge]:
    """Parse the challenges of a response; unknown schemes are ignored.

    :param values: the values of the headers.
    """
    found: list[Challenge] = []
    left = MAX_LENGTH
    for value in values:
        found += _parse(value[:left])
        left = max(left - len(value), 0)
    return found


def _parse(value: str) -> list[Challenge]:
    end = _Token(",", False, True)
    tokens = [end, *_tokens(value), end, end]
    found: list[Challenge] = []
    parameters: dict[str, str] = {}
    for before, token, after, then in zip(
        tokens, tokens[1:], tokens[2:], tokens[3:], strict=False
    ):
        if not token.is_word:
            continue
        if after.text == "=" and after.is_mark and not then.is_mark:
            parameters.setdefault(token.text.lower(), then.text)
        elif before.text == "," and before.is_mark:
            # The parameters of an unknown scheme belong to no challenge.
            parameters = {}
            if token.text.lower() in _SCHEMES:
                found.append(Challenge(token.text.lower(), parameters))
    return found


def _tokens(value: str) -> t.Iterator[_Token]:
    for token in _TOKEN.finditer(value):
        quoted, word, mark = token.groups()
        if quoted is not None:
            yield _Token(re.sub(r"\\(.)", r"\1", quoted, flags=re.S), False, False)
        else:
            yield _Token(word or mark, word is not None, mark is not None)
