"""The blueprint of the pages: its assembly, and the parts that all pages share."""

from __future__ import annotations

import typing as t

from flask import Blueprint
from flask import current_app
from flask.typing import ResponseReturnValue
from flask.wrappers import Response
from werkzeug.exceptions import BadRequest
from werkzeug.exceptions import Forbidden
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import NotFound
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.exceptions import RequestURITooLarge

from ..catalog import FAILURES
from ..catalog import GONE
from ..catalog import REFUSED
from ..config import EXTENSION
from ..core.image_links import safe_url
from ..core.reports.base import SEVERITY_LABELS
from ..errors import Denied
from ..errors import UserDeleted
from ..http import bounds
from ..http import csrf
from ..http.routing import MountedBlueprint
from ..http.routing import register_converters
from ..services import services
from ..spec.reference import is_name
from . import formatting
from . import forms
from . import markdown
from . import paging
from . import reference
from . import sign_in
from .access import is_admin
from .access import may
from .access import visitor
from .rendering import render
from .repository import image_name
from .routes import ROUTES
from .translation import gettext
from .translation import is_negotiated
from .translation import language
from .translation import ngettext
from .translation import number


def make_web_blueprint() -> Blueprint:
    """Make the blueprint that serves the pages."""
    blueprint = MountedBlueprint(
        "oci_web",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/-/static",
    )
    blueprint.record_once(register_converters)
    for methods, rule, endpoint, view in ROUTES:
        blueprint.add_url_rule(rule, endpoint, view, methods=methods)
    blueprint.url_value_preprocessor(_exempt_from_csrf)
    blueprint.before_request(_check_registered)
    blueprint.before_request(bounds.check_query)
    blueprint.before_request(forms.check)
    blueprint.context_processor(_context)
    for error in (
        BadRequest,
        Forbidden,
        NotFound,
        RequestEntityTooLarge,
        RequestURITooLarge,
    ):
        blueprint.register_error_handler(error, _handle_http_error)
    blueprint.register_error_handler(Denied, _handle_denied)
    blueprint.register_error_handler(GONE, _handle_missing_object)
    for failure in (*FAILURES, REFUSED):
        blueprint.register_error_handler(failure, _handle_database_error)
    blueprint.after_request(_set_headers)
    return blueprint


def _exempt_from_csrf(_endpoint: str | None, _values: dict[str, t.Any] | None) -> None:
    """Exempt the pages from the CSRF protection of the application.

    Some applications require their token for each GET, which no link sends.
    """
    csrf.exempt()


def _check_registered() -> None:
    if EXTENSION not in current_app.extensions:
        raise RuntimeError(
            "The pages need the registry: register registry.blueprint as well."
        )


def _context() -> dict[str, t.Any]:
    """Return the variables of all templates.

    They have a prefix, because they also reach the base template of the application,
    which may have variables such as ``_`` of its own.
    """
    return {
        "oci_gettext": gettext,
        "oci_ngettext": ngettext,
        "oci_language": language(),
        "oci_number": number,
        "oci_base": services().config.web_base_template,
        "oci_visitor": visitor(),
        "oci_name_of": services().catalog.users.name_of,
        "oci_is_name": is_name,
        "oci_is_admin": is_admin,
        "oci_may": may,
        "oci_navigation": _navigation,
        "oci_sign_in_url": sign_in.url,
        "oci_message": forms.message,
        "oci_undo": forms.undo,
        "oci_form_field": forms.FIELD,
        "oci_form_token": forms.form_token,
        "oci_visibility": services().policy.visibility,
        "oci_visibility_name": formatting.visibility_name,
        "oci_image_name": image_name,
        "oci_here": paging.here,
        "oci_reference_url": reference.address,
        "oci_render_markdown": markdown.render,
        "oci_markdown": markdown.is_available(),
        "oci_safe_url": safe_url,
        "oci_has_issuers": bool(services().config.oidc_issuers),
        "oci_severities": SEVERITY_LABELS,
        "oci_size": formatting.size,
        "oci_pull_size": formatting.pull_size,
        "oci_ago": formatting.ago,
        "oci_short": formatting.short,
        "oci_cut": formatting.cut,
        "oci_breakable": formatting.breakable,
    }


def _navigation() -> list[tuple[str, str]]:
    """Return the endpoints and the labels of the navigation links.

    The endpoints are relative, because a host may rename the blueprint or nest it.
    """
    found: list[tuple[str, str]] = [(".repositories", gettext("Repositories"))]
    if visitor() is not None:
        found.append((".storage", gettext("Storage")))
        found.append((".tokens", gettext("Access tokens")))
        found.append((".robots", gettext("Robots")))
        if services().config.owner_webhooks is not None and not is_admin():
            found.append((".webhooks", gettext("Webhooks")))
    if is_admin():
        found.append((".administration", gettext("Administration")))
    return found


def _handle_http_error(error: HTTPException) -> ResponseReturnValue:
    """Render the page for an error."""
    return render("oci/error.html", error=error), error.code or 500


def _handle_denied(error: Denied) -> ResponseReturnValue:
    """Render the reason why the application refused the request."""
    return render("oci/error.html", error=error, reason=error.message), 403


def _handle_missing_object(error: Exception) -> ResponseReturnValue:
    """Answer a user who was deleted during the request; else raise the error again."""
    services().catalog.rollback()
    try:
        is_deleted = services().catalog.users.is_deleted(visitor())
    except GONE:
        is_deleted = True
    if not is_deleted:
        raise error
    return UserDeleted()


def _handle_database_error(error: Exception) -> ResponseReturnValue:
    """Explain the error if the database schema is outdated; else raise it again."""
    outdated = services().catalog.schema.explain(error)
    if outdated is None:
        raise error
    current_app.logger.error(outdated.remedy)
    return outdated.message, outdated.status, {"Content-Type": "text/plain"}


def _set_headers(response: Response) -> Response:
    csp = services().config.web_csp
    if sign_in.is_host_response():
        # The login page of the application may need other scripts and styles.
        csp = None
    if csp is not None and "Content-Security-Policy" not in response.headers:
        response.headers["Content-Security-Policy"] = csp
    if is_negotiated():
        response.vary.add("Accept-Language")
    for header, value in _HEADERS.items():
        if header not in response.headers:
            response.headers[header] = value
    return response


_HEADERS: t.Final = {
    "Cache-Control": "private, no-cache",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
