from __future__ import annotations

import os
from importlib.metadata import version as installed_version

project = "flask_oci"
copyright = "2026 The flask_oci authors"
author = "The flask_oci authors"
release = installed_version("flask-oci")
version = ".".join(release.split(".")[:2]) + ".x"

default_role = "code"
extensions = [
    "myst_parser",
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
# The theme brings two domains that myst cannot search; none of our links need it.
suppress_warnings = ["myst.domains"]

# Links into other projects' documentation need the network, and a build must
# not. Set DOCS_INTERSPHINX=1 where there is one.
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
