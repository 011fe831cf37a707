"""The grammars of the specification, restated without regular expressions.

The tests compare the registry with these, so nothing here may come from it.
"""

from __future__ import annotations

import itertools
import string

from hypothesis import strategies as st

ALPHANUMERIC = string.ascii_lowercase + string.digits
HEX = "0123456789abcdef"
NAME_MAX_LENGTH = 255

#: Words of the registry's own addresses, each a valid component of a name.
KEYWORDS = ("blobs", "manifests", "tags", "list", "uploads", "referrers", "v2", "token")


def component_is_valid(text: str) -> bool:
    """Return True if `text` is runs of letters and digits, with separators between.

    A separator is one dot, one or two underscores, or any number of dashes.
    """
    runs = [
        (is_word, "".join(characters))
        for is_word, characters in itertools.groupby(text, ALPHANUMERIC.__contains__)
    ]
    if not runs or not runs[0][0] or not runs[-1][0]:
        return False
    separators = [run for is_word, run in runs if not is_word]
    return all(s in (".", "_", "__") or set(s) == {"-"} for s in separators)


def name_is_valid(text: str) -> bool:
    """Return True if `text` is a repository name of at most 255 characters."""
    return len(text) <= NAME_MAX_LENGTH and all(
        map(component_is_valid, text.split("/"))
    )


_words = st.text(ALPHANUMERIC, min_size=1, max_size=8)
_separators = st.sampled_from([".", "_", "__", "-", "--", "-----"])


@st.composite
def _components(draw: st.DrawFn) -> str:
    parts = [draw(_words)]
    for separator in draw(st.lists(_separators, max_size=3)):
        parts += [separator, draw(_words)]
    return "".join(parts)


#: Repository names, many of them made of the words of other addresses.
names = (
    st.lists(
        st.one_of(_components(), st.sampled_from(KEYWORDS)), min_size=1, max_size=8
    )
    .map("/".join)
    .filter(lambda name: len(name) <= NAME_MAX_LENGTH)
)

#: Tags: a letter, digit or underscore, then also dots and dashes.
tags = st.builds(
    str.__add__,
    st.sampled_from(string.ascii_letters + string.digits + "_"),
    st.text(string.ascii_letters + string.digits + "_.-", max_size=127),
)

#: Digests of both registered algorithms.
digests = st.one_of(
    st.text(HEX, min_size=64, max_size=64).map("sha256:".__add__),
    st.text(HEX, min_size=128, max_size=128).map("sha512:".__add__),
)

_hostile_characters = st.one_of(
    st.sampled_from("/.:_-\\%\0\n\r\t AZ~@?#;=é٣ａ\udc80"),
    st.characters(),
)


@st.composite
def mutated(draw: st.DrawFn, valid: st.SearchStrategy[str]) -> str:
    """Valid texts in which some characters were inserted, replaced or removed."""
    text = draw(valid)
    for _ in range(draw(st.integers(1, 3))):
        position = draw(st.integers(0, len(text)))
        inserted = draw(st.one_of(st.just(""), _hostile_characters))
        taken = draw(st.integers(0, 1))
        text = text[:position] + inserted + text[position + taken :]
    return text
