"""The directive ``conformance-report``: the last report of the conformance suite, if
``make_conformance.py`` has been run."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

REPORT = Path(__file__).parent / "_build" / "conformance" / "results.yaml"

#: The titles of the report's parts.
PARTS = {"apis": "APIs", "data": "Kinds of data"}


def rows(report: str) -> list[tuple[str, str, list[str]]]:
    """Return each part's title with each verdict and the names that have it."""
    found = []
    for part, title in PARTS.items():
        text = re.findall(rf"^{part}:\n((?:  .+\n)+)", report, re.MULTILINE)[-1]
        checks = dict(re.findall(r"^  (.+): (\w+)$", text, re.MULTILINE))
        for verdict in dict.fromkeys(checks.values()):
            names = [name for name, said in checks.items() if said == verdict]
            found.append((title, verdict, names))
    return found


class Report(SphinxDirective):
    """A table, or a sentence if there is no report."""

    def run(self) -> list[nodes.Node]:
        """Return the table or the sentence."""
        if not REPORT.exists():
            text = "This documentation was built without a report of the suite."
            return [nodes.paragraph(text=text)]
        self.env.note_dependency(str(REPORT))
        table = "".join(
            f"    * - {title}\n      - {verdict}, {len(names)} times\n"
            f"      - {'; '.join(names)}\n"
            for title, verdict, names in rows(REPORT.read_text("utf-8"))
        )
        return self.parse_text_to_nodes(f".. list-table::\n\n{table}")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("conformance-report", Report)
    return {"parallel_read_safe": True}
