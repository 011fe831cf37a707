"""Sessions of the registry's clients, which send no cookies."""

from __future__ import annotations

import typing as t

from flask import request
from flask.sessions import SecureCookieSession
from flask.sessions import SecureCookieSessionInterface

from .routing import registered_name

if t.TYPE_CHECKING:
    import flask
    from flask import Flask
    from flask.blueprints import BlueprintSetupState
    from flask.sessions import SessionMixin


class ClientSessions(SecureCookieSessionInterface):
    """Flask's own session interface, without work for an empty session.

    A request without cookies has an empty session, as it has with Flask's interface.
    An answer of the blueprint of ``/v2`` does not depend on it, unless a hook of the
    host changes it.

    :param replaced: the interface of the host, which may have a salt of its own.
    :param blueprint: the name of the blueprint.
    """

    def __init__(self, replaced: SecureCookieSessionInterface, blueprint: str) -> None:
        vars(self).update(vars(replaced))
        self._blueprint = blueprint

    def open_session(
        self, app: Flask, request: flask.Request
    ) -> SecureCookieSession | None:
        """Return the session in the request's cookie, or an empty one."""
        if "HTTP_COOKIE" not in request.environ and app.secret_key:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(
        self, app: Flask, session: SessionMixin, response: flask.Response
    ) -> None:
        """Set the session's cookie, if it has to be set."""
        if session or session.modified or request.blueprint != self._blueprint:
            super().save_session(app, session, response)


def install(state: BlueprintSetupState) -> None:
    """Give the application these sessions, unless it has sessions of its own kind."""
    app = t.cast("Flask", state.app)
    replaced = app.session_interface
    if type(replaced) is SecureCookieSessionInterface:
        app.session_interface = ClientSessions(replaced, registered_name(state))
