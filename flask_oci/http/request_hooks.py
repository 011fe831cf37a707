"""How a request comes in, and an answer goes out, where the caller is a program.

Whatever the host does around a view, its answer is the registry's own JSON, and only
the ``Authorization`` header says who asks.
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
from ..catalog import REFUSED
from ..services import remember
from ..services import services
from ..spec.reference import check_name
from . import body
from . import host_responses
from . import warnings
from .responses import Response

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Blueprint
    from flask.blueprints import BlueprintSetupState

METHODS: t.Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

#: Flask's own limit is in the way of layers, and None would not lift it. What a
#: body may have is decided where it is read.
UNLIMITED: t.Final = 2**63 - 1

#: Statuses that other parts of the request's way raise, and what they mean here.
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
    """Have a blueprint answer in JSON, also where it has no view.

    :param unknown: answers for an address that no rule of the blueprint's matches. It
        is given what of the path is below the blueprint's prefix.
    """

    def answer(rest: str) -> Response:
        allowed = _allowed_methods()
        if allowed and request.method == "OPTIONS":
            return Response(status=204, headers={"Allow": ", ".join(allowed)})
        if allowed:
            raise errors.Unsupported(
                f"{request.method} is not supported here; {', '.join(allowed)} is.",
                headers={"Allow": ", ".join(allowed)},
            )
        return unknown(rest)

    blueprint.add_url_rule(
        "/<oci_rest:rest>", "unknown", answer, provide_automatic_options=False
    )
    blueprint.record_once(_answer_the_rest)
    for status in default_exceptions:
        blueprint.register_error_handler(status, _translate)
    for failure in (*FAILURES, REFUSED):
        blueprint.register_error_handler(failure, _unavailable)
    blueprint.after_request(_finish)


def admit(values: dict[str, t.Any] | None) -> None:
    """Find out who asks, before any hook of the host's.

    It is for a value preprocessor, the one place that precedes the host's
    ``before_request``, so that its ``current_user`` is right there, and a page to
    sign in on never answers docker.

    :param values: the variables of the rule; ``name`` is that of a repository.
    """
    metrics = services().metrics
    if metrics is not None:
        metrics.begin()
    request.environ[errors.ANSWERED] = []
    request.max_content_length = UNLIMITED
    csrf = current_app.extensions.get("csrf")
    if csrf is not None and request.blueprint is not None:
        # Cookies mean nothing here, so there is nothing to forge.
        csrf.exempt(current_app.blueprints[request.blueprint])
    authenticator = services().authenticator
    # Hooks of the host's that run after a refusal must not see a cookie's user.
    authenticator.sign_in(ANONYMOUS)
    sign_in(authenticator.identify())
    body.check_announcement()
    if values and "name" in values:
        check_name(values["name"])
    if request.method in ("GET", "HEAD") and body.has_body():
        raise errors.Unsupported(
            f"A {request.method} request has no body here.", status=400
        )


def sign_in(asking: Principal) -> None:
    """Have the request be somebody's, for the registry and for the host."""
    remember(asking)
    services().authenticator.sign_in(asking)


def _answer_the_rest(state: BlueprintSetupState) -> None:
    """Serve every method where no other rule matches.

    Otherwise the host would answer there, in HTML.
    """
    endpoint = f"{state.name_prefix}.{state.name}.unknown".lstrip(".")
    for rule in state.app.url_map.iter_rules(endpoint):
        rule.methods = _EveryMethod(METHODS)


class _EveryMethod(set[str]):
    """The methods that there are, for who lists a rule's, such as a debugging tool;
    and all that a client can make up, for who asks whether one is among them."""

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
    """Say in the registry's JSON what Werkzeug, or the host, says in HTML."""
    if error.response is not None:
        return t.cast(Response, error.response)
    status = error.code or 500
    if status in (401, 403):
        return _answer(
            host_responses.refused(error.description or "The host refused this.")
        )
    if status == 429:
        host_responses.limited()
    kind = TRANSLATIONS.get(status, errors.Unsupported)
    if status >= 500:
        kind = errors.RegistryError
    headers = {
        key: value for key, value in error.get_headers() if key != "Content-Type"
    }
    message = error.description if status < 500 else None
    return _answer(kind(message, status=status, headers=headers))


def _unavailable(error: Exception) -> Response:
    """Have the client try again when the database does not answer, or lacks a table."""
    outdated = services().catalog.schema.explain(error)
    if outdated is not None:
        current_app.logger.error(outdated.remedy)
        return _answer(outdated)
    if isinstance(error, REFUSED):
        raise error
    current_app.logger.error("The database failed the registry.", exc_info=error)
    return _answer(errors.Unavailable())


def _answer(error: errors.RegistryError) -> Response:
    return t.cast(Response, error.get_response(request.environ))


def _finish(response: Response) -> Response:
    if host_responses.is_foreign(response):
        response = t.cast(
            Response, current_app.make_response(host_responses.translated(response))
        )
    if response.status_code >= 400:
        body.drain()
    warnings.emit(response)
    # Whatever sets a cookie behind this, such as the host's session, sets none.
    response.set_cookie = _set_no_cookie  # type: ignore[method-assign]
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    metrics = services().metrics
    if metrics is not None:
        metrics.end(response)
    return response


def _set_no_cookie(*args: object, **kwargs: object) -> None:
    """Stand for a response's ``set_cookie``, and so for its ``delete_cookie``."""
