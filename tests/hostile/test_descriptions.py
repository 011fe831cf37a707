"""Descriptions that are expensive to render as Markdown."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.hostile.test_work import MOST_CALLS
from tests.support.host import registry
from tests.support.registry_client import RegistryClient
from tests.support.work import counted

NAME = "alice/app"

#: Texts of ten thousand characters whose rendering takes a long time.
DESCRIPTIONS = {
    "brackets": "[" * 10_000,
    "brackets on lines": "\n[" * 5000,
    "emphasis": ":**" * 3333,
    "underscores": "*_" * 5000,
    "headings": "#\n" * 5000,
    "headings of old systems": "#\r" * 5000,
    "quotations": ">a\n" * 3333,
    "table": "|a" * 2000 + "\n" + "|-" * 2000 + "\n" + "|\n" * 900,
    "narrow table": "|a" * 500 + "\n" + "|-" * 500 + "\n" + "a\n" * 3900,
    "images": "![[]()" * 1600,
}


@pytest.mark.sqlite_only
@pytest.mark.parametrize("kind", DESCRIPTIONS)
def test_worst_description_costs_little(
    app: Flask, alice: RegistryClient, anonymous: RegistryClient, kind: str
) -> None:
    """A description that is expensive to render is shown as plain text."""
    alice.push_image(NAME, "v1")
    with app.app_context():
        registry.repositories.set_visibility(NAME, "public")
    assert anonymous.get(f"/images/{NAME}").status_code == 200
    text = DESCRIPTIONS[kind]
    assert len(text) <= 10_000
    with app.app_context():
        registry.repositories.describe(NAME, text)
    with counted() as work:
        page = anonymous.get(f"/images/{NAME}")
    assert page.status_code == 200
    assert work.calls <= MOST_CALLS
    assert len(page.data) < 10 * 10_000


def test_ordinary_description_is_rendered(
    app: Flask, alice: RegistryClient, anonymous: RegistryClient
) -> None:
    """A long description with links, emphasis and a table is no attack."""
    alice.push_image(NAME, "v1")
    paragraph = (
        "A *short* text with `code`, a [link](https://example.org) and more.\n\n"
    )
    table = "| a | b | c |\n| - | - | - |\n" + "| 1 | 2 | 3 |\n" * 100
    with app.app_context():
        registry.repositories.set_visibility(NAME, "public")
        registry.repositories.describe(NAME, paragraph * 100 + table)
    page = anonymous.get(f"/images/{NAME}").text
    assert page.count("<em>short</em>") == 100
    assert page.count("<td>2</td>") == 100
