"""The access tokens of the visitor."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from flask import current_app
from flask import request
from flask.typing import ResponseReturnValue

from ..auth.limits import UselessPattern
from ..auth.limits import USUAL_ACTIONS
from ..auth.limits import USUAL_DAYS
from ..auth.limits import usual_patterns
from ..config import REST
from ..services import services
from ..spec.scope import Action
from ..spec.scope import ACTIONS
from ..spec.scope import TOKEN_ACTIONS
from . import forms
from . import paging
from .access import signed_in_user
from .rendering import render
from .translation import gettext

#: The choices of a token's lifetime, in days.
DAYS: t.Final = ("7", "30", "90", "365")


def tokens() -> ResponseReturnValue:
    """Show the visitor's tokens."""
    return _page()


def create_token() -> ResponseReturnValue:
    """Issue a token, and show its secret once."""
    user, days = signed_in_user(), forms.field("days")
    try:
        if days and days not in DAYS:
            raise ValueError(days)
        issued = services().access_tokens.issue(
            user,
            name=forms.field("name"),
            repositories=forms.field("repositories").split(),
            actions=request.form.getlist("actions"),
            expires=timedelta(days=int(days)) if days else None,
        )
    except UselessPattern as error:
        message = gettext(
            "“%(pattern)s” matches no repository name. Names have lower-case letters"
            " and digits, and neither a host nor a tag.",
            pattern=error.pattern,
        )
        return _page(error=message, status=422)
    except ValueError:
        message = gettext("Enter a repository, and select an action and an expiry.")
        return _page(error=message, status=422)
    return _page(issued=issued)


def revoke_token(token_id: str) -> ResponseReturnValue:
    """Revoke one of the visitor's tokens, and all tokens issued with it."""
    services().access_tokens.revoke(token_id, user=signed_in_user())
    return forms.done(gettext("The token was revoked."), "tokens")


def _page(status: int = 200, **values: t.Any) -> ResponseReturnValue:
    user, catalog = signed_in_user(), services().catalog
    # Docker stores a token at each login. Among these, users would not find their own.
    kind = "refresh" if paging.parameter("kind") == "refresh" else "access"
    found = catalog.credentials.page(
        catalog.users.key_of(user), paging.PAGE + 1, paging.behind(), kind
    )
    shown = found[: paging.PAGE]
    account = catalog.users.namespace_of(user)
    page = render(
        "oci/tokens.html",
        account=account,
        usual_patterns=usual_patterns(account),
        usual_actions=USUAL_ACTIONS,
        usual_days=str(USUAL_DAYS),
        tokens=shown,
        kind=kind,
        next_page=paging.next_page(shown[-1].id, shown[-1].created_at)
        if len(found) > len(shown)
        else None,
        actions=_actions(),
        days=DAYS,
        **values,
    )
    # The page may contain a secret, so no cache may store it.
    return page, status, {"Cache-Control": "no-store"}


def _actions() -> tuple[Action, ...]:
    """Return the actions to choose from; ``manage`` needs the REST interface."""
    return TOKEN_ACTIONS if REST in current_app.blueprints else ACTIONS
