"""The reference of the REST interface, rendered by Swagger UI.

The files of Swagger UI come from the package of the extra ``swagger``, and are served
by the application itself.
"""

from __future__ import annotations

import re
import typing as t
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec

from flask import abort
from flask import current_app
from flask import send_from_directory
from flask import url_for
from flask.typing import ResponseReturnValue
from flask.wrappers import Response

from ..config import REST
from .rendering import render

#: The package with the files, and the name of its distribution.
PACKAGE: t.Final = "flask_swagger_ui"
DISTRIBUTION: t.Final = "flask-swagger-ui"

#: The files that the page needs.
FILES: t.Final = frozenset({"swagger-ui.css", "swagger-ui-bundle.js"})

#: How long browsers keep a file, in seconds. Its address contains the version.
_MAX_AGE: t.Final = 365 * 86_400

#: The icons in the stylesheet of Swagger UI. A strict Content-Security-Policy refuses
#: them; the stylesheet of the pages has replacements.
_ICONS: t.Final = re.compile(r"""url\(("|'|)data:(?:\\.|(?!\1\)).)*\1\)""")


def address() -> str | None:
    """Return the address of the page, or None if the application has no REST
    interface."""
    return url_for(".reference") if REST in current_app.blueprints else None


def reference() -> ResponseReturnValue:
    """Show all operations of the REST interface, and let the visitor try them."""
    if REST not in current_app.blueprints:
        abort(404)
    is_installed = _folder() is not None
    return render(
        "oci/reference.html",
        document=url_for(f"{REST}.document"),
        is_installed=is_installed,
        release=version(DISTRIBUTION) if is_installed else "",
    )


def reference_file(filename: str) -> Response:
    """Return a file of Swagger UI."""
    folder = _folder()
    if folder is None or filename not in FILES:
        abort(404)
    if filename.endswith(".css"):
        text = files(PACKAGE).joinpath("dist").joinpath(filename).read_text("utf-8")
        response = Response(_ICONS.sub("none", text), mimetype="text/css")
    else:
        response = send_from_directory(folder, filename)
    response.headers["Cache-Control"] = f"max-age={_MAX_AGE}"
    return response


def _folder() -> str | None:
    """Return the folder with the files, or None if they are not installed."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return f"{spec.submodule_search_locations[0]}/dist"
