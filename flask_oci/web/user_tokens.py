"""The access tokens of other users, for administrators."""

from __future__ import annotations

import typing as t

from flask import abort
from flask import url_for
from flask.typing import ResponseReturnValue

from ..http.bounds import number
from ..services import services
from . import forms
from . import paging
from .access import require_admin
from .access import visitor
from .rendering import Page
from .rendering import render
from .translation import gettext
from .translation import ngettext


def token_holders() -> ResponseReturnValue:
    """Show the users who have tokens, and a form that finds any user."""
    require_admin()
    name = paging.parameter("user")
    if name:
        if services().catalog.users.by_name(name) is not None:
            return _user_page(name)
        return _holders(name), 404
    return _holders("")


def revoke_user_token() -> ResponseReturnValue:
    """Revoke a token of a user, and all tokens issued with it."""
    name, user = _sent_user()
    token_id = forms.field("token")
    services().access_tokens.revoke(token_id, user=user, by=visitor())
    return _done(gettext("The token was revoked."), name)


def revoke_user_tokens() -> ResponseReturnValue:
    """Revoke all tokens of a user, after a confirmation."""
    name, user = _sent_user()
    if not forms.confirmed():
        return forms.ask(
            gettext("Revoke all tokens of %(user)s?", user=name),
            [
                gettext(
                    "Access tokens, and the tokens that clients store, are deleted."
                ),
                gettext("Clients of the user are refused from the next request on."),
                gettext("The user can log in with the password again."),
            ],
            gettext("Revoke all tokens"),
            url_for(".token_holders", user=name),
        )
    count = services().access_tokens.revoke_all(user, by=visitor())
    text = ngettext("%(num)s token was revoked.", "%(num)s tokens were revoked.", count)
    return _done(text, name)


def _holders(missing: str) -> Page:
    """Render the list of users who have tokens.

    :param missing: a name that the visitor looked for, and that no user has.
    """
    catalog = services().catalog
    page = number(paging.parameter("page")) or 0
    rows = catalog.credentials.holders(paging.PAGE + 1, page * paging.PAGE)
    shown = rows[: paging.PAGE]
    has_more = len(rows) > len(shown)
    return render(
        "oci/token_holders.html",
        holders=shown,
        names=catalog.users.names(row.user_id for row in shown),
        missing=missing,
        next_page=paging.here(page=str(page + 1)) if has_more else None,
    )


def _user_page(name: str) -> Page:
    catalog = services().catalog
    kind = "refresh" if paging.parameter("kind") == "refresh" else "access"
    found = catalog.credentials.page(
        catalog.users.key_of(catalog.users.by_name(name)),
        paging.PAGE + 1,
        paging.behind(),
        kind,
    )
    shown = found[: paging.PAGE]
    return render(
        "oci/user_tokens.html",
        name=name,
        kind=kind,
        tokens=shown,
        next_page=paging.next_page(shown[-1].id, shown[-1].created_at)
        if len(found) > len(shown)
        else None,
    )


def _sent_user() -> tuple[str, t.Any]:
    """Return the user that a form names, to administrators; else 404."""
    require_admin()
    name = forms.field("user")
    user = services().catalog.users.by_name(name)
    if user is None:
        abort(404)
    return name, user


def _done(text: t.Any, name: str) -> ResponseReturnValue:
    return forms.done(text, "token_holders", user=name)
