"""The directive ``endpoints``: the table of the endpoints, taken from the code."""

from __future__ import annotations

import re
import typing as t

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from flask_oci.v2.blueprint import ROUTES

#: The content of an empty cell.
NONE: t.Final = "\N{EN DASH}"


def endpoints() -> str:
    """Return the table of the endpoints in reStructuredText. Each row is the first
    paragraph of a view's docstring."""
    rows = []
    for _, _, _, view in ROUTES:
        summary = " ".join((view.__doc__ or "").split("\n\n")[0].split())
        row, text = re.findall(r"^(?:(end-.*?): )?(.*)$", summary)[0]
        rows.append(f"    * - {row or NONE}\n      - {text}\n")
    head = "    * - Row\n      - Request, and the status of its answer\n"
    return f".. list-table::\n    :header-rows: 1\n\n{head}{''.join(rows)}"


class Endpoints(SphinxDirective):
    """A table with a row for each endpoint."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        return self.parse_text_to_nodes(endpoints())


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("endpoints", Endpoints)
    return {"parallel_read_safe": True}
