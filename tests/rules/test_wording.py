"""Numbers in messages agree with their nouns."""

from __future__ import annotations

import pytest

from flask_oci.wording import plural


@pytest.mark.parametrize(
    ("count", "forms", "written"),
    [
        (1, ("tag",), "1 tag"),
        (0, ("tag",), "0 tags"),
        (2, ("tag",), "2 tags"),
        (1, ("entry", "entries"), "1 entry"),
        (2, ("entry", "entries"), "2 entries"),
    ],
)
def test_plural_number_agrees_with_noun(
    count: int, forms: tuple[str, ...], written: str
) -> None:
    """One has the singular, any other number has the plural."""
    assert plural(count, *forms) == written
