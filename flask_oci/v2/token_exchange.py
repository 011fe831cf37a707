"""Token exchange (RFC 8693): a job's identity token for a registry token."""

from __future__ import annotations

import json
import typing as t

from ..auth.job_logins import OIDC_USER
from ..auth.oidc.refusal import IdentityRefused
from ..auth.oidc.refusal import IssuerUnavailable
from ..auth.robot_logins import RobotRefused
from ..errors import Unauthorized
from ..events import audit
from ..http.responses import as_json
from ..services import principal
from ..services import services

if t.TYPE_CHECKING:
    from werkzeug.datastructures import MultiDict

    from ..auth.principal import Principal
    from ..http.responses import Response

GRANT_TYPE: t.Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN: t.Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a URN

#: The accepted values of ``subject_token_type``.
SUBJECT_TYPES: t.Final = (
    "urn:ietf:params:oauth:token-type:id_token",
    "urn:ietf:params:oauth:token-type:jwt",
)


class ExchangeRefused(Unauthorized):
    """``UNAUTHORIZED``: an error of RFC 6749, section 5.2, in the registry's form.

    :param error: the code of the error.
    :param message: sentences with the problem and the action.
    """

    def __init__(self, error: str, message: str, *, status: int = 400) -> None:
        headers = {"Cache-Control": "no-store"}
        if status == 503:
            headers["Retry-After"] = "60"
        super().__init__(message, status=status, headers=headers)
        self.error = error

    def get_body(self, *args: t.Any, **kwargs: t.Any) -> str:
        """Return the body with the fields of both."""
        fields = json.loads(super().get_body(*args, **kwargs))
        # "Values for the "error_description" parameter MUST NOT include characters
        # outside the set %x20-21 / %x23-5B / %x5D-7E."
        text = "".join(
            c if " " <= c <= "~" and c not in '"\\' else "'" for c in self.message
        )
        return json.dumps({"error": self.error, "error_description": text, **fields})


def log_in(form: MultiDict[str, str]) -> Principal:
    """Return the principal, with its new secret, for a form with an identity token.

    :raises ExchangeRefused: if the form or the token is invalid.
    """
    _check(form)
    login = form.get("robot") or OIDC_USER
    try:
        return services().authenticator.robots.exchange(login, form["subject_token"])
    except IssuerUnavailable as refusal:
        raise ExchangeRefused(
            "temporarily_unavailable", refusal.reason, status=503
        ) from None
    except IdentityRefused as refusal:
        audit.record("login-failed", None, username=login[:255], reason=refusal.code)
        error = "invalid_target" if refusal.code == "ambiguous" else "invalid_request"
        raise ExchangeRefused(error, refusal.reason) from None
    except RobotRefused as refusal:
        audit.record("login-failed", None, username=login[:255])
        raise ExchangeRefused("invalid_request", refusal.reason) from None


def answer() -> Response:
    """Return the new secret of the caller (RFC 8693, section 2.2.1)."""
    caller, config = principal(), services().config
    audit.record("login", services().catalog.users.name_of(caller.caller))
    response = as_json(
        {
            "access_token": caller.new_secret,
            "issued_token_type": ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": int(config.oidc_token_lifetime.total_seconds()),
            "username": caller.robot.login if caller.robot else "",
        }
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _check(form: MultiDict[str, str]) -> None:
    for name in form:
        if len(form.getlist(name)) > 1:
            raise _invalid(f"Send {name!r} only once.")
    if not form.get("subject_token"):
        raise _invalid("Send the identity token as 'subject_token'.")
    if form.get("subject_token_type") not in SUBJECT_TYPES:
        raise _invalid(f"Send {SUBJECT_TYPES[0]!r} as 'subject_token_type'.")
    if form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise _invalid(f"Leave out 'requested_token_type', or send {ACCESS_TOKEN!r}.")
    if "actor_token" in form:
        raise _invalid("Leave out 'actor_token': jobs act for themselves.")
    if form.get("scope"):
        raise ExchangeRefused(
            "invalid_scope",
            "Leave out 'scope': a registry token has the limits of its robot.",
        )
    audience = services().config.identity_audience
    for name in ("audience", "resource"):
        if form.get(name, audience) != audience:
            raise ExchangeRefused(
                "invalid_target", f"Leave out {name!r}, or send '{audience}'."
            )


def _invalid(message: str) -> ExchangeRefused:
    return ExchangeRefused("invalid_request", message)
