"""Extensions of the host, found in ``app.extensions``."""

from __future__ import annotations

import typing as t

from flask import current_app


def host_extension(key: str, package: str) -> t.Any:
    """Return the object that an extension has stored in the application, or None.

    Different packages use the same key, so the class of the object decides.

    :param key: the key in ``app.extensions``.
    :param package: the package of the extension, such as ``flask_babel``.
    """
    found = current_app.extensions.get(key)
    packages = {kind.__module__.partition(".")[0] for kind in type(found).__mro__}
    return found if package in packages else None
