from __future__ import annotations

import ast
import re
from pathlib import Path

from doc_blocks import DOCS


def documented() -> list[str]:
    """Return the first cells of the tables, without those of their heads."""
    text = (DOCS / "hosts.rst").read_text("utf-8")
    cells = re.findall(r"^    \* - (.+)$", text, re.MULTILINE)
    return [cell for cell in cells if not re.fullmatch("Your .* has", cell)]


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
    assert sorted(documented()) == sorted(held())
