"""The access tokens of the visitor."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from flask import current_app
from flask import render_template
from flask import request
from flask.typing import ResponseReturnValue

from ..config import REST
from ..services import services
from ..spec.scope import Action
from ..spec.scope import ACTIONS
from ..spec.scope import TOKEN_ACTIONS
from . import forms
from . import paging
from .access import member
from .translation import gettext

#: After how many days a token can end by itself.
DAYS: t.Final = ("7", "30", "90", "365")


def tokens() -> ResponseReturnValue:
    """Show what logs in as the visitor."""
    return _page()


def create_token() -> ResponseReturnValue:
    """Make a token, and show it this once."""
    user, days = member(), forms.field("days")
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
    except ValueError:
        message = gettext("Choose a repository, something to do, and an end.")
        return _page(error=message, status=422)
    return _page(issued=issued)


def revoke_token(token_id: str) -> ResponseReturnValue:
    """End a token of the visitor's, and whatever was had with it."""
    services().access_tokens.revoke(token_id, user=member())
    return forms.done(gettext("The token is revoked."), "tokens")


def _page(status: int = 200, **values: t.Any) -> ResponseReturnValue:
    user, catalog = member(), services().catalog
    found = catalog.credentials.page(
        catalog.users.key_of(user), paging.PAGE + 1, paging.behind()
    )
    shown = found[: paging.PAGE]
    page = render_template(
        "oci/tokens.html",
        account=catalog.users.namespace_of(user),
        tokens=shown,
        next_page=paging.next_page(shown[-1].id, shown[-1].created_at)
        if len(found) > len(shown)
        else None,
        actions=_actions(),
        days=DAYS,
        **values,
    )
    # A secret is shown once, so nothing may keep the page.
    return page, status, {"Cache-Control": "no-store"}


def _actions() -> tuple[Action, ...]:
    """Return what there is to choose: only REST lets a token manage anything."""
    return TOKEN_ACTIONS if REST in current_app.blueprints else ACTIONS
