"""The directive ``layers``: a picture of the layers, from the linter's contract, and a
description of each module, from its docstring."""

from __future__ import annotations

import ast
import re
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PROJECT = Path(__file__).parent.parent / "pyproject.toml"

#: In pixels: the width of the picture, and the sizes of a layer, a gap and a letter.
WIDTH, HEIGHT, GAP, LETTER = 700, 26, 12, 7.3

STYLE = """
.layers { width: 100%; height: auto; font: 12.5px ui-monospace, monospace; }
.layers rect { fill: #eef3f8; stroke: #b6c4d2; }
.layers text { fill: #1c2733; text-anchor: middle; }
.layers path { stroke: #8796a5; fill: none; }
"""


def layers() -> list[list[str]]:
    """Return the modules of each layer, from the top to the bottom."""
    text = PROJECT.read_text("utf-8")
    (found,) = re.findall(r"^layers = (\[.*?^\])", text, re.MULTILINE | re.DOTALL)
    return [re.split(r" [|:] ", layer) for layer in ast.literal_eval(found)]


def summary(module: str) -> str:
    """Return the first paragraph of a module's docstring."""
    path = PROJECT.parent / "flask_oci" / module
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text("utf-8"))
    first = (ast.get_docstring(tree) or "").split("\n\n")[0]
    return " ".join(first.split()).removesuffix(".")


def picture(rows: list[list[str]]) -> str:
    """Return the layers as SVG."""
    drawn = []
    for number, modules in enumerate(rows):
        top = number * (HEIGHT + GAP) + 2
        width = [len(module) * LETTER + 20 for module in modules]
        left = (WIDTH - sum(width) - 8 * (len(width) - 1)) / 2
        if number:
            drawn.append(f'<path d="M{WIDTH // 2} {top - GAP}v{GAP}"/>')
        for module, wide in zip(modules, width, strict=True):
            drawn.append(
                f'<rect x="{left:.1f}" y="{top}" width="{wide:.1f}" height="{HEIGHT}"'
                f' rx="5"/><text x="{left + wide / 2:.1f}" y="{top + 17}">'
                f"{escape(module)}</text>"
            )
            left += wide + 8
    height = len(rows) * (HEIGHT + GAP)
    return (
        f'<style>{STYLE}</style><svg class="layers" viewBox="0 0 {WIDTH} {height}"'
        ' role="img" aria-label="The layers, which are listed below, from the'
        f' extension down to the errors.">{"".join(drawn)}</svg>'
    )


class Layers(SphinxDirective):
    """The picture and the list of modules."""

    def run(self) -> list[nodes.Node]:
        """Return the picture and the list."""
        rows = layers()
        self.env.note_dependency(str(PROJECT))
        listed = nodes.bullet_list(bullet="-")
        for module in (module for modules in rows for module in modules):
            # The docstrings are reStructuredText, and the page may be Markdown.
            text = summary(module).replace("``", "")
            line = nodes.paragraph("", "", nodes.literal(text=module))
            line += nodes.Text(f" \N{EN DASH} {text}")
            listed += nodes.list_item("", line)
        return [nodes.raw("", picture(rows), format="html"), listed]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("layers", Layers)
    return {"parallel_read_safe": True}
