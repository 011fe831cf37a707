"""The directive ``operations``: the table of the REST operations, from the code."""

from __future__ import annotations

import inspect
import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from flask_oci.api.blueprint import OPERATIONS


def operations() -> str:
    """Return the table of the operations in reStructuredText. Each row is the first
    paragraph of a view's docstring."""
    rows = []
    for operation in OPERATIONS:
        path = re.sub(r"<(?:\w+(?:\(.*?\))?:)?(\w+)>", r"{\1}", operation.rule)
        doc = inspect.cleandoc(operation.view.__doc__ or "")
        text = " ".join(doc.split("\n\n")[0].split())
        rows.append(f"    * - ``{operation.method} {path}``\n      - {text}\n")
    head = "    * - Request\n      - Effect\n"
    return f".. list-table::\n    :header-rows: 1\n\n{head}{''.join(rows)}"


class Operations(SphinxDirective):
    """A table with a row for each operation."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        return self.parse_text_to_nodes(operations())


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("operations", Operations)
    return {"parallel_read_safe": True}
