"""Signing in: the login page of the application."""

from __future__ import annotations

import typing as t
from urllib.parse import urlencode
from urllib.parse import urlsplit

from flask import abort
from flask import current_app
from flask import redirect
from flask import request
from flask import url_for
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import Unauthorized
from werkzeug.routing import BuildError

from ..auth import flask_login
from ..events.request_state import request_state
from ..events.warn_once import advise
from ..services import services

#: The warning in the log if the login page has no address.
VIEW_UNKNOWN: t.Final = (
    "The login_view of Flask-Login, %s, is not an endpoint of the application, so the"
    " pages cannot send visitors to it. Set login_view, or set OCI_LOGIN_URL."
)


def url() -> str | None:
    """Return the address of the application's login page, which returns to this page.

    It is None if neither ``OCI_LOGIN_URL`` nor a login view of Flask-Login is set, or
    if the login view is unknown.
    """
    page = services().config.login_url or _login_view()
    return None if page is None else _with_next(page)


def refuse_anonymous() -> t.NoReturn:
    """End the request of a visitor who has to sign in first.

    The response is a redirect to ``OCI_LOGIN_URL`` if it is set, and otherwise that of
    Flask-Login, which calls the application's ``unauthorized_handler``. It is 403 if
    there is no login page.
    """
    page = services().config.login_url
    if page is not None:
        abort(redirect(_with_next(page)))
    try:
        response = flask_login.unauthorized()
    except BuildError as error:
        advise(VIEW_UNKNOWN, error.endpoint)
        abort(403)
    except Unauthorized as error:
        if error.response is None and not _has_handler(error):
            abort(403)
        raise
    if response is None:
        abort(403)
    request_state().is_host_response = True
    abort(current_app.make_response(response))


def is_host_response() -> bool:
    """Return True if the response of this request is that of the application's
    ``unauthorized_handler``."""
    return request_state().is_host_response


def _login_view() -> str | None:
    view = flask_login.login_view()
    if view is None or view.startswith(("http://", "https://", "/")):
        return view
    try:
        return url_for(view)
    except BuildError:
        advise(VIEW_UNKNOWN, view)
        return None


def _has_handler(error: HTTPException) -> bool:
    """Return True if the application has a handler for a status."""
    return bool(current_app.error_handler_spec[None].get(error.code))


def _with_next(page: str) -> str:
    """Return the address of a page, with this page as the parameter ``next``."""
    parts, here = urlsplit(page), _here()
    if parts.netloc and parts.netloc != request.host:
        own = urlsplit(services().config.external_url or request.host_url)
        here = f"{own.scheme}://{own.netloc}{here}"
    query = "&".join(filter(None, [parts.query, urlencode({"next": here})]))
    return parts._replace(query=query).geturl()


def _here() -> str:
    """Return the path of this page, as browsers see it."""
    if request.method not in ("GET", "HEAD"):
        # After the login, the browser cannot repeat a form.
        return url_for(".repositories")
    here = urlsplit(request.url)._replace(scheme="", netloc="", fragment="")
    # Two slashes would begin the name of another site.
    return "/" + here.geturl().lstrip("/")
