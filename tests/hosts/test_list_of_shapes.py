from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.support.doc_blocks import DOCS

from .test_real_applications import APPLICATIONS

#: The heading below which the tables are of applications, and not of shapes.
OTHERS = "Third-party applications"


def documented() -> tuple[list[str], list[str]]:
    """Return the first cells of the tables, without those of their heads: of shapes,
    and of applications."""
    text = (DOCS / "hosts.rst").read_text("utf-8")
    shapes, _, others = text.partition(OTHERS)
    return cells(shapes), cells(others)


def cells(text: str) -> list[str]:
    found = re.findall(r"^    \* - (.+)$", text, re.MULTILINE)
    return [c for c in found if not re.fullmatch("Your .* has|The application", c)]


def held() -> set[str]:
    """Return what the tests beside this one say they are about."""
    return {
        ast.literal_eval(decorator.args[0])
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        and ast.unparse(decorator.func) == "pytest.mark.shape"
    }


def test_every_shape_is_in_the_documentation_and_tested() -> None:
    """The page promises what is tested, and names all of it, once."""
    assert sorted(documented()[0]) == sorted(held())


def test_every_application_of_others_is_in_the_documentation_and_tested() -> None:
    """The same for those that others wrote."""
    assert sorted(documented()[1]) == sorted(a.title for a in APPLICATIONS)
