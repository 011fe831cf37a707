"""The token service for ``docker login`` (Distribution's
docs/content/spec/auth/token.md and oauth.md)."""

from __future__ import annotations

import typing as t

from flask import request

from ..auth.principal import Principal
from ..catalog import FAILURES
from ..errors import Unsupported
from ..events import audit
from ..http import body
from ..http.authorization import allowed_actions
from ..http.responses import as_json
from ..http.responses import Response
from ..services import principal
from ..services import services
from ..spec.reference import is_name
from ..spec.scope import CATALOG_SCOPE
from ..spec.scope import parse_scopes
from ..spec.scope import repository_actions
from ..spec.scope import Scope
from . import token_exchange

#: The maximum size of a form in bytes. A refresh token has fewer than a hundred.
MAX_FORM: t.Final = 32 * 1024


def token() -> Response:
    """``GET /v2/token?service=<service>&scope=<scope>``, 200.

    A user who may do less than the scopes ask for gets a token for less, down to a
    token that is valid for ``GET /v2/`` only. Only bad credentials fail, before this
    view is called.

    :raises Unauthorized: if a login is required and there are no credentials, or if the
        credentials are a bearer token, which could otherwise renew itself without end.
    """
    challenges = services().challenges
    if principal().claims is not None:
        raise challenges.new(
            error="invalid_token",
            message="A bearer token cannot get another; send your credentials.",
        )
    if principal().is_anonymous and services().config.require_login:
        raise challenges.new()
    scopes = parse_scopes(request.args.getlist("scope"))
    return _issue(scopes, offline=request.args.get("offline_token") == "true")


def oauth() -> Response:
    """``POST /v2/token`` with ``grant_type`` ``password``, ``refresh_token`` or that of
    a token exchange (:rfc:`8693`), 200."""
    form = body.form(MAX_FORM)
    if form.get("grant_type") == token_exchange.GRANT_TYPE:
        return token_exchange.answer()
    scopes = parse_scopes(form.getlist("scope"))
    return _issue(scopes, offline=form.get("access_type") == "offline")


def by_form() -> Principal:
    """Return the principal for the credentials in the form.

    :raises Unauthorized: if the credentials are invalid.
    :raises Unsupported: 400, for any other grant type.
    """
    form, authenticator = body.form(MAX_FORM), services().authenticator
    grant_type = form.get("grant_type")
    if grant_type == token_exchange.GRANT_TYPE:
        return token_exchange.log_in(form)
    if grant_type == "refresh_token":
        return authenticator.refresh(form.get("refresh_token", ""))
    if grant_type != "password":
        raise Unsupported(
            "Unsupported 'grant_type': use 'password' or 'refresh_token'.",
            detail=grant_type,
            status=400,
        )
    caller = authenticator.log_in(form.get("username", ""), form.get("password", ""))
    if caller.is_anonymous:
        raise services().challenges.new()
    return caller


def _issue(scopes: list[Scope], *, offline: bool) -> Response:
    parts, caller = services(), principal()
    claims = parts.authenticator.claims_of(caller, tuple(_granted(scopes)))
    signed, granted = parts.tokens.issue(claims)
    answer: dict[str, t.Any] = {
        "token": signed,
        "access_token": signed,
        "scope": " ".join(map(str, granted)),
        # Without "issued_at", clients count from now by their own clocks.
        "expires_in": parts.tokens.lifetime,
    }
    if offline and caller.user is not None and _used_secret(caller):
        answer |= _refresh_token(caller)
    elif offline and caller.new_secret and caller.credential:
        # Docker stores it instead of the identity token, which is not needed again.
        parts.catalog.publishers.spend(caller.credential.id)
        answer["refresh_token"] = caller.new_secret
    if not scopes and not caller.is_anonymous:
        # A request without scopes is "docker login"; all others are pulls and pushes.
        audit.record("login", parts.catalog.users.name_of(caller.caller))
    response = as_json(answer)
    response.headers["Cache-Control"] = "no-store"
    return response


def _refresh_token(caller: Principal) -> dict[str, str]:
    """Return the field with a new refresh token.

    It is empty if the database refuses to store the token, because the field is
    optional, and pulls need the other token only.
    """
    parts = services()
    try:
        token = parts.access_tokens.issue_refresh(
            caller.user,
            caller.subject,
            caller.credential,
            parts.authenticator.refresh_lifetime,
        )
    except FAILURES as error:
        parts.catalog.note_unrecorded(error)
        return {}
    return {"refresh_token": token}


def _used_secret(caller: Principal) -> bool:
    """Return True if the login used a password or an access token. A refresh token must
    not issue others."""
    return caller.credential is None or caller.credential.kind == "access"


def _granted(scopes: list[Scope]) -> t.Iterator[Scope]:
    for scope in scopes:
        if scope == CATALOG_SCOPE:
            # The contents of the list are decided when it is requested.
            yield scope
        elif (
            is_name(scope.name)
            and (requested := repository_actions(scope))
            and (actions := allowed_actions(scope.name, requested))
        ):
            yield Scope("repository", scope.name, actions)
