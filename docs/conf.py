from __future__ import annotations

import builtins
import os
import re
import sys
import typing as t
from importlib.metadata import version as installed_version
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

# The project's Sphinx extensions are in this folder.
sys.path.insert(0, str(Path(__file__).parent))

from findings import findings

project = "flask_oci"
copyright = "2026 The flask_oci authors"
author = "The flask_oci authors"
release = installed_version("flask-oci")
version = ".".join(release.split(".")[:2]) + ".x"

default_role = "code"
extensions = [
    "command_help",
    "conformance_report",
    "endpoint_table",
    "layer_picture",
    "myst_parser",
    "operation_table",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
# A heading in a Markdown page can be linked to, as in a reST one.
myst_heading_anchors = 3

# Links into other projects' documentation need the network, which a build must not
# need. DOCS_INTERSPHINX=1 enables them.
if os.environ.get("DOCS_INTERSPHINX"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3/", None),
        "flask": ("https://flask.palletsprojects.com/", None),
        "sqlalchemy": ("https://docs.sqlalchemy.org/", None),
    }

html_theme = "furo"
html_title = f"flask_oci {version}"
html_show_sourcelink = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["docs.css"]
html_favicon = "static/favicon.svg"

# The button copies the commands of a block without prompts and output.
copybutton_prompt_text = "$ "
copybutton_line_continuation_character = "\\"
# It needs neither the numbers of lines nor the names of files.
copybutton_exclude = ".linenos, .gp"

# The documentation as one file, for reading without a network.
epub_basename = "flask_oci"
epub_show_urls = "no"
epub_exclude_files = ["search.html"]
epub_tocdup = False
# The stylesheet and the scripts of the website do not apply.
epub_css_files: list[str] = []

#: The folder of make_screenshots.py. Few of its pictures are in the repository:
#: those in "pictures". Without it, the pages are built with these only.
PICTURES = Path(__file__).parent / "_build" / "screenshots"


def show_pictures(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace each comment that names a picture with the picture."""

    def show(match: re.Match[str]) -> str:
        name = f"{match[1]}-desk-light.png"
        if not (PICTURES / name).exists():
            return committed(match[1], match[2]) or match[0]
        return f".. image:: _build/screenshots/{name}\n    :alt: {match[2]}\n"

    source[0] = re.sub(r"^\.\. picture (\S+): (.+)$", show, source[0], flags=re.M)


def committed(name: str, alt: str) -> str:
    """Return a picture of the repository, light or dark, or an empty text."""
    if not (Path(__file__).parent / "pictures" / f"{name}-light.png").exists():
        return ""
    return "\n".join(
        f".. image:: pictures/{name}-{scheme}.png\n"
        f"    :alt: {alt}\n    :class: only-{scheme}\n"
        for scheme in ("light", "dark")
    )


def list_findings(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace the comment ``.. findings`` with all findings of the check."""
    source[0] = source[0].replace(".. findings\n", findings())


def leave_builtins(app: Sphinx, doctree: nodes.document) -> None:
    """Link no built-in type, because an attribute may have the same name."""
    for reference in [*doctree.findall(addnodes.pending_xref)]:
        if reference["refdomain"] == "py" and hasattr(builtins, reference["reftarget"]):
            reference.replace_self(reference.children)


def improve_accessibility(
    app: Sphinx, page: str, template: str, context: dict[str, t.Any], doctree: object
) -> None:
    """Add the attributes that the theme's HTML lacks (WCAG 2.1.1 and 4.1.2)."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace(
        'role="heading"', 'role="heading" aria-level="2"'
    )
    # A block that scrolls can be reached without a mouse.
    body = context.get("body", "")
    context["body"] = body.replace("<pre>", '<pre tabindex="0">')


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the replacements of pictures and findings."""
    # The theme creates its navigation in the same event.
    app.connect("html-page-context", improve_accessibility, priority=900)
    app.connect("doctree-read", leave_builtins)
    app.connect("source-read", show_pictures)
    app.connect("source-read", list_findings)
    return {"parallel_read_safe": True}
