"""Request hooks of the interfaces for programs: authentication, errors and response
headers.

The response is the registry's own JSON, even if the host answers instead of a view.
Only the ``Authorization`` header authenticates the caller.
"""

from __future__ import annotations

import typing as t

from flask import current_app
from flask import request
from werkzeug.exceptions import default_exceptions
from werkzeug.exceptions import HTTPException

from .. import errors
from ..auth.principal import ANONYMOUS
from ..auth.principal import Principal
from ..catalog import FAILURES
from ..catalog import GONE
from ..catalog import REFUSED
from ..events.request_state import begin_request
from ..operations.work_thread import NO_WORK
from ..rules.quota import QuotaExceeded
from ..services import principal
from ..services import remember
from ..services import services
from ..spec.reference import check_name
from . import body
from . import bounds
from . import csrf
from . import host_responses
from . import warnings
from .responses import CONTENT_POLICY
from .responses import Response
from .routing import registered_name

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Blueprint
    from flask.blueprints import BlueprintSetupState

METHODS: t.Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

#: The value that lifts Flask's own limit, which layers exceed; None would not lift it.
#: The limit of a body is checked where the body is read.
UNLIMITED: t.Final = 2**63 - 1

#: The registry's errors for HTTP statuses that the host or Werkzeug raises.
TRANSLATIONS: t.Final[dict[int, type[errors.RegistryError]]] = {
    400: errors.SizeInvalid,
    401: errors.Unauthorized,
    403: errors.Denied,
    404: errors.NameUnknown,
    413: errors.SizeInvalid,
    416: errors.BlobUploadInvalid,
    429: errors.TooManyRequests,
}


def install(blueprint: Blueprint, unknown: Callable[[str], Response]) -> None:
    """Make a blueprint answer in JSON, also at addresses without a view.

    :param unknown: answers for an address that no rule of the blueprint matches. Its
        argument is the path below the blueprint's prefix.
    """

    def respond(rest: str) -> Response:
        allowed = _allowed_methods()
        if allowed and request.method == "OPTIONS":
            return Response(status=204, headers={"Allow": ", ".join(allowed)})
        if allowed:
            raise errors.Unsupported(
                f"{request.method} is not supported here; use {', '.join(allowed)}.",
                headers={"Allow": ", ".join(allowed)},
            )
        return unknown(rest)

    blueprint.add_url_rule(
        "/<oci_rest:rest>", "unknown", respond, provide_automatic_options=False
    )
    blueprint.record_once(_accept_every_method)
    for status in default_exceptions:
        blueprint.register_error_handler(status, _translate)
    blueprint.register_error_handler(GONE, _missing_object)
    for failure in (*FAILURES, REFUSED):
        blueprint.register_error_handler(failure, _unavailable)
    blueprint.register_error_handler(QuotaExceeded, _quota_exceeded)
    blueprint.after_request(_finish)


def authenticate(
    values: dict[str, t.Any] | None, caller: Principal | None = None
) -> None:
    """Authenticate the request, before the host's ``before_request`` functions run.

    It is called by a URL value preprocessor, the only hook that precedes them. The
    host's functions then see the right ``current_user``, and a login page is never sent
    to Docker.

    :param values: the variables of the URL rule; ``name`` is the name of a repository.
    :param caller: the principal, if it does not depend on credentials.
    """
    begin_request()
    parts = services()
    if parts.metrics is not None:
        parts.metrics.begin()
    request.environ[errors.ANSWERED] = []
    request.max_content_length = UNLIMITED
    bounds.check_query()
    body.accept_buffered()
    csrf.exempt()
    # The host's hooks that run after a refusal must not see the user of a session
    # cookie.
    parts.authenticator.sign_in(ANONYMOUS)
    sign_in(parts.authenticator.identify() if caller is None else caller)
    body.check_announcement()
    if values and "name" in values:
        check_name(values["name"])
    if request.method in ("GET", "HEAD") and body.has_body():
        raise errors.Unsupported(
            f"A {request.method} request must not have a body.", status=400
        )


def sign_in(caller: Principal) -> None:
    """Set the principal of the request, for the registry and for the host."""
    remember(caller)
    services().authenticator.sign_in(caller)


def _accept_every_method(state: BlueprintSetupState) -> None:
    """Accept every method where no other rule matches.

    Otherwise the host would answer there, in HTML.
    """
    endpoint = f"{registered_name(state)}.unknown"
    for rule in state.app.url_map.iter_rules(endpoint):
        rule.methods = _EveryMethod(METHODS)


class _EveryMethod(set[str]):
    """A set of methods that iterates over the standard ones, for tools that list the
    methods of a rule, and that contains any method that a client may send."""

    def __contains__(self, method: object) -> bool:
        return True


def _allowed_methods() -> list[str]:
    """Return the methods for which the current address has a view."""
    adapter = current_app.create_url_adapter(request)
    if adapter is None:
        return []
    own = f"{request.blueprint}.unknown"
    return [m for m in METHODS if adapter.match(method=m)[0] != own]


def _translate(error: HTTPException) -> Response:
    """Return the registry's JSON error for an HTTP error of Werkzeug or of the host."""
    if error.response is not None:
        return t.cast(Response, error.response)
    status = error.code or 500
    if status in (401, 403):
        return _answer(
            host_responses.refusal(error.description or "The application refused this.")
        )
    if status == 429:
        host_responses.log_rate_limit()
    kind = TRANSLATIONS.get(status, errors.Unsupported)
    if status >= 500:
        kind = errors.RegistryError
    headers = {
        key: value for key, value in error.get_headers() if key != "Content-Type"
    }
    message = error.description if status < 500 else None
    return _answer(kind(message, status=status, headers=headers))


def _quota_exceeded(error: QuotaExceeded) -> Response:
    """Return the error with the usage of the quota, if the caller may know it."""
    services().catalog.rollback()
    user, usage = principal().user, error.usage
    if usage is not None and services().policy.may_see_usage(user, usage):
        error = error.explained()
    return _answer(error)


def _missing_object(error: Exception) -> Response:
    """Return 401 if an object is missing because the user was deleted; else raise the
    error again."""
    services().catalog.rollback()
    if not services().catalog.users.is_deleted(principal().user):
        raise error
    return _answer(errors.UserDeleted())


def _unavailable(error: Exception) -> Response:
    """Return the error for a database that does not respond or lacks a table, so that
    clients try again."""
    outdated = services().catalog.schema.explain(error)
    if outdated is not None:
        current_app.logger.error(outdated.remedy)
        return _answer(outdated)
    if isinstance(error, REFUSED):
        raise error
    current_app.logger.error("A database error prevented a response.", exc_info=error)
    return _answer(errors.Unavailable())


def _answer(error: errors.RegistryError) -> Response:
    return t.cast(Response, error.get_response(request.environ))


def _finish(response: Response) -> Response:
    if host_responses.is_host_response(response):
        response = t.cast(
            Response,
            current_app.make_response(host_responses.to_registry_error(response)),
        )
    if response.status_code == 401:
        _challenge(response)
    if response.status_code >= 400:
        body.drain_after(response, is_anonymous=principal().is_anonymous)
    warnings.emit(response)
    # Hooks that run later, such as the host's session, must not set a cookie.
    response.set_cookie = _set_no_cookie  # type: ignore[method-assign]
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = CONTENT_POLICY
    metrics = services().metrics
    if metrics is not None:
        metrics.end(response)
    _report_node(response)
    return response


def _report_node(response: Response) -> None:
    """Report this process from time to time, once its response has been sent."""
    # A check from inside and the tests of a host are no nodes.
    if current_app.testing or NO_WORK in request.environ:
        return
    reporter = services().node_reporter
    if reporter.is_due():
        reporter.report_after(current_app, response)


def _challenge(response: Response) -> None:
    """Add a challenge to a 401 without one, such as that for a deleted user."""
    if principal().mirror is not None:
        # Docker would answer a challenge with a password for another registry.
        response.status_code = 403
        response.headers.pop("WWW-Authenticate", None)
        return
    if "WWW-Authenticate" not in response.headers:
        kind = "invalid_token" if principal().claims else None
        response.headers.update(services().challenges.new(error=kind).headers)


def _set_no_cookie(*args: object, **kwargs: object) -> None:
    """Replace ``set_cookie`` of a response, which ``delete_cookie`` uses too."""
