from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.support.doc_blocks import DOCS

from .test_real_applications import APPLICATIONS

#: The heading of the tables of applications; the tables before it list shapes.
OTHERS = "Third-party applications"


def documented() -> tuple[list[str], list[str]]:
    """Return the first cells of the tables of shapes and of applications, without
    their heads."""
    text = (DOCS / "hosts.rst").read_text("utf-8")
    shapes, _, others = text.partition(OTHERS)
    return cells(shapes), cells(others)


def cells(text: str) -> list[str]:
    found = re.findall(r"^    \* - (.+)$", text, re.MULTILINE)
    return [c for c in found if not re.fullmatch("Your .* has|The application", c)]


def held() -> set[str]:
    """Return the shapes in the markers of the tests in this folder."""
    return {
        ast.literal_eval(decorator.args[0])
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        and ast.unparse(decorator.func) == "pytest.mark.shape"
    }


def test_shapes_in_documentation_equal_tested_shapes() -> None:
    """The page lists exactly the tested shapes, each once."""
    assert sorted(documented()[0]) == sorted(held())


def test_applications_in_documentation_equal_tested_applications() -> None:
    """The page lists exactly the tested applications, each once."""
    assert sorted(documented()[1]) == sorted(a.title for a in APPLICATIONS)
