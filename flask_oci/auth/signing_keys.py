"""Signing keys: the secret key of the application, and its former keys."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    from flask.sansio.app import App


def signing_keys(app: App) -> Callable[[], Sequence[str]]:
    """Return a function that returns the keys of an application, the current one last.

    The function raises :exc:`RuntimeError` if the application has no secret key.
    """

    def keys() -> Sequence[str]:
        if not app.secret_key:
            raise RuntimeError(
                "The registry needs the application's secret key to sign tokens. Set"
                " SECRET_KEY."
            )
        # Former keys verify tokens that they signed earlier. itsdangerous signs with
        # the last key.
        keys = [*(app.config.get("SECRET_KEY_FALLBACKS") or ()), app.secret_key]
        return t.cast("list[str]", keys)

    return keys
