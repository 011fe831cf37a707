"""The page on security keeps its word: each test that it names is there."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest

import flask_oci
from tests.support.paths import TESTS

PAGE = (TESTS.parent / "docs" / "security.rst").read_text("utf-8")

#: What other registries had to learn, and so this one must not forget.
LESSONS = [*(f"V-{number}" for number in range(1, 49)), "V-6b"]

#: Those about which nothing can be tested, since there is no such thing here.
IMPOSSIBLE: set[str] = set()

ROW = re.compile(
    r"^    \* - (?P<number>V-\w+)\n      - (?P<text>(?:.+\n)+?)"
    r"      - (?P<tests>(?:.+\n)+)",
    re.MULTILINE,
)
ROWS = {row["number"]: row for row in ROW.finditer(PAGE)}


def named(row: re.Match[str]) -> list[tuple[str, str]]:
    """Return the files and tests that a row names."""
    return re.findall(r"``([\w/]+\.py)::(\w+)``", row["tests"])


def test_every_lesson_is_on_the_page() -> None:
    """Each has one row, in order, and there are no others."""
    order = sorted(LESSONS, key=lambda n: (int(re.sub(r"\D", "", n)), n))
    assert [row["number"] for row in ROW.finditer(PAGE)] == order


@pytest.mark.parametrize("number", LESSONS)
def test_every_lesson_has_a_test(number: str) -> None:
    """A row names tests that exist, or says why there is none."""
    row = ROWS[number]
    tests = named(row)
    assert bool(tests) != (number in IMPOSSIBLE)
    assert tests or row["text"].startswith("Cannot happen here: ")
    for file, name in tests:
        assert name in functions(TESTS / file), f"{file} has no {name}"


def test_every_event_is_on_the_page() -> None:
    """Whoever reads the audit finds there what each event means."""
    (package,) = map(Path, flask_oci.__path__)
    recorded = {
        call.args[0].value
        for source in package.rglob("*.py")
        for call in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in ("audit.record", "_record")
        and isinstance(call.args[0], ast.Constant)
    }
    table = PAGE.partition("* - ``action``")[2].partition("The actor is")[0]
    assert recorded == set(re.findall(r"``([a-z-]+)``", "".join(cells(table))))


def cells(table: str) -> list[str]:
    """Return the first cell of each row."""
    return re.findall(r"\* - (.*)\n", table)


def functions(path: Path) -> t.Iterator[str]:
    """Return the names of the functions in a file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield node.name
