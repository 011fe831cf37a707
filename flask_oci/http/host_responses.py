"""What the host answers below ``/v2``, in the registry's language.

A host may answer before a view does: its ``before_request`` sends everybody to a page
to sign in on, or its error handler shows a page about an error. Docker can read
neither. Whoever may get further by saying who they are is asked to.
"""

from __future__ import annotations

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
    return leads_elsewhere or response.mimetype == "text/html"


def translated(response: AnyResponse) -> errors.RegistryError:
    """Return the error that stands for a page, or for a way elsewhere.

    :param response: the host's answer, which is dropped.
    """
    response.close()
    status = response.status_code
    kept = {k: v for k, v in response.headers.items() if k == "Retry-After"}
    if status == 429:
        return errors.TooManyRequests(headers=kept)
    if status >= 500:
        return errors.RegistryError(status=status, headers=kept)
    if response.location == request.url.replace("http:", "https:", 1):
        # Docker would follow, and turn a POST into a GET.
        return errors.Denied("This registry is reached by https, and not by http.")
    return refused(_reason(response))


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
    return "The application has a page for you instead; have a look with a browser."
