"""CSRF protection of the host, such as Flask-WTF's ``CSRFProtect``."""

from __future__ import annotations

from flask import current_app
from flask import request

from .host_extensions import host_extension


def exempt() -> None:
    """Exempt the blueprint of the current request.

    It must be called by a URL value preprocessor, which precedes the ``before_request``
    functions of the host. The interfaces for programs ignore cookies, and each form of
    the pages has a token of the registry.
    """
    csrf = host_extension("csrf", "flask_wtf")
    if csrf is not None and request.blueprint is not None:
        csrf.exempt(current_app.blueprints[request.blueprint])
