"""The token service that ``docker login`` talks to (Distribution's
docs/content/spec/auth/token.md and oauth.md).
"""

from __future__ import annotations

import typing as t

from flask import request

from ..auth.principal import Principal
from ..errors import Unsupported
from ..events import audit
from ..http import body
from ..http.authorization import find
from ..http.authorization import may
from ..http.responses import as_json
from ..http.responses import Response
from ..services import principal
from ..services import services
from ..spec.reference import is_name
from ..spec.scope import CATALOG_SCOPE
from ..spec.scope import parse_scopes
from ..spec.scope import repository_actions
from ..spec.scope import Scope

if t.TYPE_CHECKING:
    from ..spec.scope import Action

#: How many bytes of a form are read. A refresh token has less than a hundred.
MAX_FORM: t.Final = 64 * 1024


def token() -> Response:
    """``GET /v2/token?service=<service>&scope=<scope>``, 200.

    Who may do less than they ask for gets a token for less, down to one that is
    good for nothing but ``GET /v2/``. Only bad credentials fail, and they have
    done so before this is reached.

    :raises Unauthorized: when there are none, and everybody has to have some, or when
        the credentials are a token of ours. It would renew itself for ever.
    """
    authenticator = services().authenticator
    if principal().claims is not None:
        raise authenticator.challenge(
            error="invalid_token",
            message="A token does not get another; send what it was had with.",
        )
    if principal().user is None and services().config.require_login:
        raise authenticator.challenge()
    scopes = parse_scopes(request.args.getlist("scope"))
    return _issue(scopes, offline=request.args.get("offline_token") == "true")


def oauth() -> Response:
    """``POST /v2/token`` with ``grant_type`` ``password`` or ``refresh_token``, 200."""
    form = body.form()
    scopes = parse_scopes(form.getlist("scope"))
    return _issue(scopes, offline=form.get("access_type") == "offline")


def by_form() -> Principal:
    """Return whom the credentials in the form are of.

    :raises Unauthorized: when the credentials are bad.
    :raises Unsupported: 400, for any other grant type.
    """
    request.max_content_length = MAX_FORM
    form, authenticator = body.form(), services().authenticator
    grant_type = form.get("grant_type")
    if grant_type == "refresh_token":
        return authenticator.refresh(form.get("refresh_token", ""))
    if grant_type != "password":
        raise Unsupported(
            "'grant_type' is 'password' or 'refresh_token'.",
            detail=grant_type,
            status=400,
        )
    asking = authenticator.log_in(form.get("username", ""), form.get("password", ""))
    if asking.user is None:
        raise authenticator.challenge()
    return asking


def _issue(scopes: list[Scope], *, offline: bool) -> Response:
    parts, asking = services(), principal()
    granted = tuple(_grants(scopes))
    signed = parts.tokens.sign(parts.authenticator.claims_of(asking, granted))
    answer: dict[str, t.Any] = {
        "token": signed,
        "access_token": signed,
        "scope": " ".join(map(str, granted)),
        # Without "issued_at", clients count from now by their own clocks.
        "expires_in": parts.tokens.lifetime,
    }
    if offline and asking.user is not None and _logs_in(asking):
        answer["refresh_token"] = parts.access_tokens.issue_refresh(
            asking.user, asking.credential, parts.authenticator.refresh_lifetime
        )
    if not scopes and asking.user is not None:
        # What asks for nothing is "docker login"; all else is pulls and pushes.
        audit.record("login", parts.catalog.users.name_of(asking.user))
    response = as_json(answer)
    response.headers["Cache-Control"] = "no-store"
    return response


def _logs_in(asking: Principal) -> bool:
    """Tell whether somebody typed a secret; a refresh token breeds no others."""
    return asking.credential is None or asking.credential.kind == "access"


def _grants(scopes: list[Scope]) -> t.Iterator[Scope]:
    for scope in scopes:
        if scope == CATALOG_SCOPE:
            # What it lists is decided when it is asked for.
            yield scope
        elif (
            is_name(scope.name)
            and (asked := repository_actions(scope))
            and (actions := _allowed(scope.name, asked))
        ):
            yield Scope("repository", scope.name, actions)


def _allowed(name: str, asked: tuple[Action, ...]) -> tuple[Action, ...]:
    return tuple(action for action in asked if may(action, find(name, action)))
