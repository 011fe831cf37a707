"""What the host answers below ``/v2``, in the registry's language.

A host may answer before a view does: its ``before_request`` sends everybody to a page
to sign in on, or its error handler shows a page about an error. Docker can read
neither. Whoever may get further by saying who they are is asked to.
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
from .responses import Response

if t.TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

    from ..spec.scope import Action

#: The longest body of a host's error that is read, in bytes.
MAX_BODY: t.Final = 64 * 1024

#: The longest reason of a host's that is passed on, in characters.
MAX_REASON: t.Final = 200

#: Which of our actions a method is, as far as a challenge is concerned.
_ACTIONS: t.Final[dict[str, Action]] = {
    "GET": "pull",
    "HEAD": "pull",
    "DELETE": "delete",
}


def is_foreign(response: AnyResponse) -> bool:
    """Tell whether an answer is none of the registry's: it leads elsewhere, or it is a
    page."""
    if isinstance(response, Response):
        return False
    leads_elsewhere = (
        300 <= response.status_code < 400 and "Location" in response.headers
    )
    if leads_elsewhere or response.mimetype == "text/html":
        return True
    return response.status_code >= 400 and not request.environ.get(errors.ANSWERED)


def translated(response: AnyResponse) -> errors.RegistryError:
    """Return the error that stands for a page, or for a way elsewhere.

    :param response: the host's answer, which is dropped.
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
        # Docker would follow, and turn a POST into a GET.
        return errors.Denied("This registry is reached by https, and not by http.")
    return refused(reason)


def limited() -> None:
    """Say in the log what a limit on every request of the host's does to clients.

    Programs that use REST make no more requests than they want to.
    """
    if not request.path.startswith("/v2/"):
        return
    advise(
        "The application's rate limit refused %s %s. A push or a pull makes dozens of"
        " requests at once. With Flask-Limiter, this leaves the registry out:"
        " limiter.exempt(registry.blueprint)",
        request.method,
        request.path,
    )


def refused(reason: str) -> errors.RegistryError:
    """Return the error for a request that the host let nobody answer.

    :param reason: why, for somebody who is known. Others are asked who they are, since
        clients only log in after a challenge.
    """
    if principal().user is None:
        return _challenge()
    advise(
        "Before the registry could answer %s %s, the application refused it: %s If that"
        " is a before_request function, have it begin with:"
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
        return services().authenticator.challenge()
    return challenge(name, _ACTIONS.get(request.method, "push"))


def _reason(response: AnyResponse) -> str:
    if location := response.headers.get("Location"):
        return f"The application wants you to go to {location} first, with a browser."
    if text := _text_of(response):
        return f"The application refused this request: {text}"
    return "The application has a page for you instead; have a look with a browser."


def _json_of(response: AnyResponse) -> object:
    if not _is_short(response) or response.mimetype != "application/json":
        return None
    try:
        return json.loads(response.get_data())
    except ValueError:
        return None


def _text_of(response: AnyResponse) -> str:
    """Return the sentence that a host gives as its reason, or an empty string."""
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
    """Return True if the body of a response may be read to look at it."""
    length = response.content_length
    return not response.direct_passthrough and length is not None and length <= MAX_BODY
