"""The token service that ``docker login`` talks to (Distribution's
docs/content/spec/auth/token.md).
"""

from __future__ import annotations

import typing as t

from flask import request

from ..names import is_name
from ..scopes import CATALOG_SCOPE
from ..scopes import parse_scopes
from ..scopes import repository_actions
from ..scopes import Scope
from ..services import principal
from ..services import services
from ..tokens import Claims
from .responses import as_json
from .responses import Response

if t.TYPE_CHECKING:
    from ..catalog import RepositoryInfo
    from ..scopes import Action


def token() -> Response:
    """``GET /v2/token?service=<service>&scope=<scope>``, 200.

    Who may do less than they ask for gets a token for less, down to one that is
    good for nothing but ``GET /v2/``. Only bad credentials fail, and they have
    done so before this is reached.
    """
    parts, user = services(), principal().user
    granted = tuple(_grants(parse_scopes(request.args.getlist("scope"))))
    subject = "" if user is None else parts.authenticator.subject_of(user)
    signed = parts.tokens.sign(Claims(subject, granted))
    response = as_json(
        {
            "token": signed,
            "access_token": signed,
            "expires_in": parts.tokens.lifetime,
        }
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _grants(scopes: list[Scope]) -> t.Iterator[Scope]:
    repositories = services().catalog.repositories
    for scope in scopes:
        if scope == CATALOG_SCOPE:
            # What it lists is decided when it is asked for.
            yield scope
        if is_name(scope.name) and (asked := repository_actions(scope)):
            actions = _allowed(repositories.find(scope.name), asked)
            if actions:
                yield Scope("repository", scope.name, actions)


def _allowed(
    repository: RepositoryInfo, asked: tuple[Action, ...]
) -> tuple[Action, ...]:
    parts, asking = services(), principal()
    return tuple(
        action
        for action in asked
        # A token gets its bearer no further than the token that it was had with.
        if asking.reaches(action, repository.name)
        and parts.policy.may(asking.user, action, repository)
    )
