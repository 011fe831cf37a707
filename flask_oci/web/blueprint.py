"""The blueprint of the pages: the route table, and what every page has in common."""

from __future__ import annotations

import typing as t

from flask import Blueprint
from flask import current_app
from flask import render_template
from flask.typing import ResponseReturnValue
from flask.wrappers import Response
from werkzeug.exceptions import Forbidden
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import NotFound

from ..converters import register_converters
from ..services import EXTENSION
from ..services import services
from . import formatting
from . import paging
from .access import is_administrator
from .access import may
from .access import sign_in_url
from .access import visitor
from .manifest import manifest
from .manifest import raw
from .repositories import repositories
from .repository import image_name
from .repository import repository
from .translation import gettext
from .translation import ngettext

if t.TYPE_CHECKING:
    from collections.abc import Callable

    Route = tuple[tuple[str, ...], str, str, Callable[..., ResponseReturnValue]]

#: Methods, rule, endpoint and view. No component of a name begins with a dash, so
#: "/-/" is where the name of a repository ends.
ROUTES: t.Final[tuple[Route, ...]] = (
    (("GET",), "/", "repositories", repositories),
    (("GET",), "/<oci_name:name>", "repository", repository),
    (("GET",), "/<oci_name:name>/-/image/<reference>", "manifest", manifest),
    (("GET",), "/<oci_name:name>/-/raw/<digest>", "raw", raw),
)


def make_web_blueprint() -> Blueprint:
    """Make the blueprint that serves the pages."""
    blueprint = Blueprint(
        "oci_web",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/-/static",
    )
    blueprint.record_once(register_converters)
    for methods, rule, endpoint, view in ROUTES:
        blueprint.add_url_rule(rule, endpoint, view, methods=methods)
    blueprint.before_request(_check)
    blueprint.context_processor(_context)
    for error in (Forbidden, NotFound):
        blueprint.register_error_handler(error, _refuse)
    blueprint.after_request(_finish)
    return blueprint


def _check() -> None:
    if EXTENSION not in current_app.extensions:
        raise RuntimeError(
            "The pages are there and the registry is not: register"
            " registry.blueprint as well."
        )


def _context() -> dict[str, t.Any]:
    """Return what the templates know, beside what their views tell them."""
    return {
        "_": gettext,
        "ngettext": ngettext,
        "oci_base": services().config.web_base_template,
        "oci_visitor": visitor(),
        "oci_name_of": services().catalog.users.name_of,
        "oci_is_administrator": is_administrator,
        "oci_may": may,
        "oci_navigation": _navigation,
        "oci_sign_in_url": sign_in_url,
        "image_name": image_name,
        "here": paging.here,
        "size": formatting.size,
        "ago": formatting.ago,
        "short": formatting.short,
        "cut": formatting.cut,
    }


def _navigation() -> list[tuple[str, str]]:
    """Return the endpoints that lead to each part of the pages, and their names."""
    return [("oci_web.repositories", gettext("Repositories"))]


def _refuse(error: HTTPException) -> ResponseReturnValue:
    """Say that something is not there, or not the visitor's to change."""
    return render_template("oci/error.html", error=error), error.code or 500


def _finish(response: Response) -> Response:
    csp = services().config.web_csp
    if csp is not None and "Content-Security-Policy" not in response.headers:
        response.headers["Content-Security-Policy"] = csp
    for header, value in _HEADERS.items():
        if header not in response.headers:
            response.headers[header] = value
    return response


_HEADERS: t.Final = {
    "Cache-Control": "private, no-cache",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
