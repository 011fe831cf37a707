"""The blueprint of the pages: the route table, and the parts that all pages share."""

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
from . import blocks
from . import deletion
from . import events
from . import feeds
from . import formatting
from . import forms
from . import history
from . import jobs
from . import markdown
from . import paging
from . import path_rules
from . import policy
from . import publishers
from . import reference
from . import retention
from . import robots
from . import settings
from . import sign_in
from . import tokens
from . import undo
from . import upstreams
from . import usage
from . import user_tokens
from . import webhooks
from .access import is_admin
from .access import may
from .access import visitor
from .compare import compare
from .files import download
from .manifest import manifest
from .manifest import raw
from .rendering import render
from .repositories import repositories
from .repository import image_name
from .repository import repository
from .translation import gettext
from .translation import is_negotiated
from .translation import language
from .translation import ngettext
from .translation import number

if t.TYPE_CHECKING:
    from collections.abc import Callable

    Route = tuple[tuple[str, ...], str, str, Callable[..., ResponseReturnValue]]

_RULES: t.Final = "/<oci_name:name>/-/rules"
_ROBOT: t.Final = "/-/robots/<robot_id>"
_WEBHOOK: t.Final = "/-/webhooks/<webhook_id>"
_NAME: t.Final = "/<oci_name:name>"
_PUBLISHERS: t.Final = f"{_NAME}/-/publishers"
_SETTINGS: t.Final = f"{_NAME}/-/settings"

#: Methods, rule, endpoint and view. No component of a name begins with a dash, so
#: "/-/" ends the name of a repository.
ROUTES: t.Final[tuple[Route, ...]] = (
    (("GET",), "/", "repositories", repositories),
    (("GET",), "/-/feed.atom", "feed", feeds.feed),
    (("GET",), "/-/storage", "storage", usage.storage),
    (("GET",), "/-/administration", "administration", usage.administration),
    (("GET",), "/-/uploads", "all_uploads", usage.all_uploads),
    (("GET",), "/-/events", "events", events.events),
    (("GET",), "/-/reference", "reference", reference.reference),
    (
        ("GET",),
        "/-/reference/<filename>",
        "reference_file",
        reference.reference_file,
    ),
    (("GET",), "/-/jobs", "jobs", jobs.jobs),
    (("GET",), "/-/upstreams", "upstreams", upstreams.upstreams),
    (("GET",), "/-/rules", "rules", path_rules.rules),
    (("POST",), "/-/rules", "set_quota", path_rules.set_quota),
    (("GET",), _RULES, "path_rules", path_rules.path_rules),
    (
        ("POST",),
        f"{_RULES}/visibility",
        "set_path_visibility",
        path_rules.set_path_visibility,
    ),
    (("GET",), f"{_RULES}/retention", "path_retention", path_rules.path_retention),
    (("POST",), f"{_RULES}/tags", "protect_path", path_rules.protect_path),
    (("GET",), f"{_RULES}/policy", "path_policy", policy.path_policy),
    (("POST",), f"{_RULES}/policy", "set_path_policy", policy.set_path_policy),
    (("POST",), f"{_RULES}/signers", "trust_path_signer", policy.trust_path_signer),
    (
        ("POST",),
        f"{_RULES}/signers/remove",
        "remove_path_signer",
        policy.remove_path_signer,
    ),
    (
        ("POST",),
        f"{_RULES}/retention",
        "set_path_retention",
        path_rules.set_path_retention,
    ),
    (("GET",), "/-/users", "token_holders", user_tokens.token_holders),
    (
        ("POST",),
        "/-/users/token",
        "revoke_user_token",
        user_tokens.revoke_user_token,
    ),
    (
        ("POST",),
        "/-/users/tokens",
        "revoke_user_tokens",
        user_tokens.revoke_user_tokens,
    ),
    (("GET",), "/-/webhooks", "webhooks", webhooks.webhooks),
    (("POST",), "/-/webhooks", "add_webhook", webhooks.add_webhook),
    (("GET",), "/-/webhooks/new", "new_webhook", webhooks.new_webhook),
    (("GET",), _WEBHOOK, "webhook", webhooks.webhook),
    (("POST",), _WEBHOOK, "change_webhook", webhooks.change_webhook),
    (("GET",), f"{_WEBHOOK}/edit", "edit_webhook", webhooks.edit_webhook),
    (("POST",), f"{_WEBHOOK}/test", "test_webhook", webhooks.test_webhook),
    (("POST",), f"{_WEBHOOK}/state", "enable_webhook", webhooks.enable_webhook),
    (("POST",), f"{_WEBHOOK}/replay", "replay_deliveries", webhooks.replay_deliveries),
    (("POST",), f"{_WEBHOOK}/delete", "delete_webhook", webhooks.delete_webhook),
    (
        ("POST",),
        f"{_WEBHOOK}/secret",
        "rotate_webhook_secret",
        webhooks.rotate_webhook_secret,
    ),
    (("GET",), "/<oci_name:name>/-/uploads", "uploads", usage.uploads),
    (("GET",), _PUBLISHERS, "publishers", publishers.publishers),
    (("POST",), _PUBLISHERS, "add_publisher", publishers.add_publisher),
    (
        ("POST",),
        f"{_PUBLISHERS}/remove",
        "remove_publisher",
        publishers.remove_publisher,
    ),
    (("GET",), "/-/tokens", "tokens", tokens.tokens),
    (("POST",), "/-/tokens", "create_token", tokens.create_token),
    (("POST",), "/-/tokens/<token_id>", "revoke_token", tokens.revoke_token),
    (("GET",), "/-/robots", "robots", robots.robots),
    (("POST",), "/-/robots", "create_robot", robots.create_robot),
    (("GET",), _ROBOT, "robot", robots.robot),
    (("POST",), f"{_ROBOT}/state", "enable_robot", robots.enable_robot),
    (("POST",), f"{_ROBOT}/secret", "rotate_robot", robots.rotate_robot),
    (
        ("POST",),
        f"{_ROBOT}/revoke",
        "revoke_robot_secret",
        robots.revoke_robot_secret,
    ),
    (("POST",), f"{_ROBOT}/delete", "delete_robot", robots.delete_robot),
    (("GET",), "/<oci_name:name>", "repository", repository),
    (("GET",), "/<oci_name:name>/-/image/<reference>", "manifest", manifest),
    (("GET",), "/<oci_name:name>/-/raw/<digest>", "raw", raw),
    (("GET",), "/<oci_name:name>/-/file/<digest>/<blob>", "file", download),
    (("GET",), "/<oci_name:name>/-/compare", "compare", compare),
    (("GET",), "/<oci_name:name>/-/history", "history", history.history),
    (
        ("GET",),
        "/<oci_name:name>/-/feed.atom",
        "repository_feed",
        feeds.repository_feed,
    ),
    (("POST",), "/<oci_name:name>/-/history", "restore", history.restore),
    (("POST",), "/<oci_name:name>/-/tags/delete", "delete_tags", history.delete_tags),
    (("POST",), "/<oci_name:name>/-/images/delete", "delete_images", deletion.delete),
    (("POST",), "/<oci_name:name>/-/undo", "undo", undo.undo),
    (("POST",), "/<oci_name:name>/-/images/restore", "undelete", deletion.restore),
    (("POST",), "/<oci_name:name>/-/images/forget", "forget_image", deletion.forget),
    (("POST",), "/<oci_name:name>/-/block", "block", blocks.block),
    (("POST",), "/<oci_name:name>/-/unblock", "unblock", blocks.unblock),
    (("GET",), "/<oci_name:name>/-/settings", "settings", settings.settings),
    (("POST",), f"{_SETTINGS}/description", "describe", settings.describe),
    (("POST",), f"{_SETTINGS}/visibility", "set_visibility", settings.set_visibility),
    (("POST",), f"{_SETTINGS}/name", "rename", settings.rename),
    (("POST",), f"{_SETTINGS}/owner", "transfer", settings.transfer),
    (("POST",), f"{_SETTINGS}/tags", "protect", settings.protect),
    (("GET",), f"{_SETTINGS}/retention", "retention", retention.retention),
    (("POST",), f"{_SETTINGS}/retention", "set_retention", retention.set_retention),
    (("GET",), f"{_SETTINGS}/policy", "policy", policy.policy),
    (("POST",), f"{_SETTINGS}/policy", "set_policy", policy.set_policy),
    (("POST",), f"{_SETTINGS}/signers", "trust_signer", policy.trust_signer),
    (("POST",), f"{_SETTINGS}/signers/remove", "remove_signer", policy.remove_signer),
    (("POST",), f"{_SETTINGS}/delete", "delete", settings.delete),
)


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
