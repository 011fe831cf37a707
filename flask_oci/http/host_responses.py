"""Responses of the host below ``/v2``, translated into the registry's JSON errors.

A host may answer before a view does: its ``before_request`` redirects to a login page,
or its error handler shows a page. Docker can use neither. A caller who has not logged
in gets a challenge instead.
"""

from __future__ import annotations

import json
import typing as t

from flask import request

from .. import errors
from ..events.warn_once import advise
from ..services import principal
from ..services import services
from .authorization import challenge
from .responses import CONTENT_POLICY

if t.TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

    from ..spec.scope import Action

#: The largest body of an application's error that is read, in bytes.
MAX_BODY: t.Final = 64 * 1024

#: The maximum length of an application's reason that is passed on, in characters.
MAX_REASON: t.Final = 200

#: The action that a challenge for a method asks for.
_ACTIONS: t.Final[dict[str, Action]] = {
    "GET": "pull",
    "HEAD": "pull",
    "DELETE": "delete",
}


def is_host_response(response: AnyResponse) -> bool:
    """Return True if a response is that of the host, such as a redirect, a page or an
    error."""
    if getattr(response, "is_of_registry", False):
        return False
    is_redirect = 300 <= response.status_code < 400 and "Location" in response.headers
    if is_redirect:
        return True
    if response.status_code < 400 and _may_pass(response):
        return False
    return response.mimetype == "text/html" or not request.environ.get(errors.ANSWERED)


def _may_pass(response: AnyResponse) -> bool:
    """Return True for a successful response that clients can use.

    These are a response to a browser that asks about another origin (CORS), which is
    often HTML without a body; one of the registry that the host has kept; and one at an
    address that the registry does not have, such as a health check of the host.
    """
    if request.method == "OPTIONS":
        return True
    is_own = response.headers.get("Content-Security-Policy") == CONTENT_POLICY
    is_unknown = request.endpoint == f"{request.blueprint}.unknown"
    return (is_own or is_unknown) and response.mimetype != "text/html"


def to_registry_error(response: AnyResponse) -> errors.RegistryError:
    """Return the registry's error for a page or a redirect of the host.

    :param response: the host's response, which is dropped.
    """
    reason = _reason(response)
    response.close()
    status = response.status_code
    kept = {k: v for k, v in response.headers.items() if k == "Retry-After"}
    if status == 429:
        return errors.TooManyRequests(headers=kept)
    if status >= 500:
        return errors.RegistryError(status=status, headers=kept)
    if status >= 400 and status not in (401, 403):
        kind = errors.NameUnknown if status == 404 else errors.Unsupported
        return kind(reason, status=status, headers=kept)
    if response.location == request.url.replace("http:", "https:", 1):
        # Docker would follow the redirect, and turn a POST into a GET.
        return errors.Denied("This registry requires https; do not use http.")
    return refusal(reason)


def log_rate_limit() -> None:
    """Log how the host's rate limit affects clients of ``/v2``.

    Programs that use the REST API do not need many requests at once.
    """
    if not request.path.startswith("/v2/"):
        return
    advise(
        "The application's rate limit refused %s %s. A push or a pull makes dozens of"
        " requests at once. With Flask-Limiter, exempt the registry:"
        " limiter.exempt(registry.blueprint)",
        request.method,
        request.path,
    )


def refusal(reason: str) -> errors.RegistryError:
    """Return the error for a request that the host refused before a view was called.

    :param reason: the reason, which only authenticated callers see. Other callers get a
        challenge, because clients log in only after one.
    """
    if principal().is_anonymous:
        return _challenge()
    advise(
        "The application refused %s %s before the registry could answer: %s If a"
        " before_request function did it, begin that function with:"
        ' if request.blueprint == "%s": return',
        request.method,
        request.path,
        reason,
        request.blueprint,
    )
    return errors.Denied(reason)


def _challenge() -> errors.RegistryError:
    name = (request.view_args or {}).get("name")
    if name is None:
        return services().challenges.new()
    return challenge(name, _ACTIONS.get(request.method, "push"))


def _reason(response: AnyResponse) -> str:
    if location := response.headers.get("Location"):
        return f"The application redirects to {location}; open it in a browser."
    if text := _text_of(response):
        return f"The application refused this request: {text}"
    return "The application returned a page instead; open this address in a browser."


def _json_of(response: AnyResponse) -> object:
    if not _is_short(response) or response.mimetype != "application/json":
        return None
    try:
        return json.loads(response.get_data())
    except (ValueError, RecursionError):
        return None


def _text_of(response: AnyResponse) -> str:
    """Return the reason in the response of an application, or an empty string."""
    document = _json_of(response)
    if isinstance(document, dict):
        named = (document.get(key) for key in ("message", "error", "description"))
        text = next((value for value in named if isinstance(value, str)), "")
    elif response.mimetype == "text/plain" and _is_short(response):
        text = response.get_data(as_text=True)
    else:
        text = ""
    return "".join(filter(str.isprintable, text))[:MAX_REASON]


def _is_short(response: AnyResponse) -> bool:
    """Return True if the body of a response is short enough to be read."""
    length = response.content_length
    return not response.direct_passthrough and length is not None and length <= MAX_BODY
