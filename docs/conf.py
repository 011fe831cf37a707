from __future__ import annotations

import os
import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

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
    "pallets_sphinx_themes",
    "sphinx.ext.autodoc",
]
exclude_patterns = ["_build"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
# A heading in a Markdown page can be linked to, as in a reST one.
myst_heading_anchors = 3
# The theme adds two domains that myst cannot search, and no link needs them.
suppress_warnings = ["myst.domains"]

# Links into other projects' documentation need the network, which a build must not
# need. DOCS_INTERSPHINX=1 enables them.
if os.environ.get("DOCS_INTERSPHINX"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3/", None),
        "flask": ("https://flask.palletsprojects.com/", None),
        "sqlalchemy": ("https://docs.sqlalchemy.org/", None),
    }

html_theme = "flask"
html_title = f"flask_oci Documentation ({version})"
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {
    "index": ["searchbox.html", "localtoc.html"],
    "**": ["localtoc.html", "relations.html", "searchbox.html"],
}

#: The folder of make_screenshots.py. Its pictures are not in the repository; without
#: them, the pages are built without pictures.
PICTURES = Path(__file__).parent / "_build" / "screenshots"


def show_pictures(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace each comment that names a picture with the picture."""

    def show(match: re.Match[str]) -> str:
        name = f"{match[1]}-desk-light.png"
        if not (PICTURES / name).exists():
            return match[0]
        return f".. image:: _build/screenshots/{name}\n    :alt: {match[2]}\n"

    source[0] = re.sub(r"^\.\. picture (\S+): (.+)$", show, source[0], flags=re.M)


def list_findings(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace the comment ``.. findings`` with all findings of the check."""
    source[0] = source[0].replace(".. findings\n", findings())


def setup(app: Sphinx) -> None:
    """Register the replacements of pictures and findings."""
    app.connect("source-read", show_pictures)
    app.connect("source-read", list_findings)
