"""The security page: each test that it names exists."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest

import flask_oci
from tests.support.paths import TESTS

PAGE = (TESTS.parent / "docs" / "security.rst").read_text("utf-8")

#: The ones without a test, because this registry lacks the feature.
IMPOSSIBLE: set[str] = set()

ROW = re.compile(
    r"^    \* - (?P<number>V-\w+)\n      - (?P<text>(?:.+\n)+?)"
    r"      - (?P<tests>(?:.+\n)+)",
    re.MULTILINE,
)
ROWS = {row["number"]: row for row in ROW.finditer(PAGE)}

#: The lessons that the page must have at least.
LEAST = {*(f"V-{number}" for number in range(1, 51)), "V-6b"}


def named(row: re.Match[str]) -> list[tuple[str, str]]:
    """Return the files and the tests that a row names."""
    return re.findall(r"``([\w/]+\.py)::(\w+)``", row["tests"])


def test_security_page_has_each_lesson_in_order() -> None:
    """The page has one row for each lesson, in order."""
    listed = [row["number"] for row in ROW.finditer(PAGE)]
    assert listed == sorted(set(listed), key=lambda n: (int(re.sub(r"\D", "", n)), n))
    assert set(listed) >= LEAST


@pytest.mark.parametrize("number", ROWS)
def test_lesson_names_existing_tests(number: str) -> None:
    """A row names existing tests, or states why there is none."""
    row = ROWS[number]
    tests = named(row)
    assert bool(tests) != (number in IMPOSSIBLE)
    assert tests or row["text"].startswith("Cannot happen here: ")
    for file, name in tests:
        assert name in functions(TESTS / file), f"{file} has no {name}"


def test_security_page_lists_every_audit_action() -> None:
    """The page lists exactly the actions of the audit log."""
    (package,) = map(Path, flask_oci.__path__)
    recorded = {
        call.args[0].value
        for source in package.rglob("*.py")
        for call in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in ("audit.record", "_record", "self._record")
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
