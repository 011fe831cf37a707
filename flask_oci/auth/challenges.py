"""Challenges: the 401 that tells a client where to get a token (Distribution's
docs/content/spec/auth/token.md, "How to authenticate")."""

from __future__ import annotations

import typing as t

from ..errors import Unauthorized
from .client_urls import absolute_url

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ..config import Config
    from ..spec.scope import Scope


class Challenges:
    """Creates challenges.

    :param config: the settings.
    :param token_endpoint: the Flask endpoint of the token service.
    """

    def __init__(self, config: Config, token_endpoint: str) -> None:
        self._config = config
        self._token_endpoint = token_endpoint

    def new(
        self,
        scopes: Iterable[Scope] = (),
        error: str | None = None,
        message: str | None = None,
    ) -> Unauthorized:
        """Return the 401 for a request without sufficient credentials.

        :param scopes: the scopes that the token must cover.
        :param error: ``invalid_token`` or ``insufficient_scope``, if the client sent a
            token.
        :param message: the message for the user; None uses the default one.
        """
        realm = absolute_url(self._config.external_url, self._token_endpoint)
        parameters = {"realm": realm, "service": self._config.service}
        if scope := " ".join(map(str, scopes)):
            parameters["scope"] = scope
        if error:
            parameters["error"] = error
        # Every value is quoted, and there is only one challenge, because some clients
        # cannot read another form.
        challenge = ",".join(f'{key}="{value}"' for key, value in parameters.items())
        return Unauthorized(
            message,
            detail=scope or None,
            headers={"WWW-Authenticate": f"Bearer {challenge}"},
        )

    def invalid_token(self) -> Unauthorized:
        """Return the 401 for an invalid token."""
        return self.new(
            error="invalid_token",
            message="The token is invalid or has expired; log in again.",
        )
