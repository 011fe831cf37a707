"""Bearer tokens: claims, signed.

"The token is opaque to the client" (Distribution's docs/content/spec/auth/
token.md), so it is what itsdangerous makes of a few short fields. This is the
only module that knows itsdangerous.
"""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass

from itsdangerous import BadData
from itsdangerous import URLSafeTimedSerializer

from .models import microseconds
from .models import utcnow
from .scopes import Scope

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

#: Keeps a token of ours from being taken for anything else that the host signs
#: with the same key, and the other way round.
SALT: t.Final = "flask-oci.bearer"


class TokenInvalid(Exception):
    """A token is forged, damaged, expired or meant for another service."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a bearer token says."""

    subject: str
    """Which user it was made for; empty for nobody."""

    username: str
    """What that user was called."""

    access: tuple[Scope, ...]
    """The most that it can be used for."""

    credential: str | None
    """The access or refresh token that it was had with, and ends with."""

    issued_at: int = 0
    """When it was signed, in microseconds after 1970."""


class Tokens:
    """Signs and reads bearer tokens.

    :param keys: returns the signing keys, the present one last.
    :param service: whom the tokens are for.
    :param lifetime: for how many seconds they are good.
    """

    def __init__(
        self, keys: Callable[[], Sequence[str]], service: str, lifetime: int
    ) -> None:
        self._keys = keys
        self._service = service
        self.lifetime = lifetime

    def sign(self, claims: Claims) -> str:
        """Make a token of ``claims`` that begins now."""
        access = [[s.type, s.name, list(s.actions)] for s in claims.access]
        return self._serializer().dumps(
            {
                "sub": claims.subject,
                "usr": claims.username,
                "aud": self._service,
                "access": access,
                "via": claims.credential,
                # Itsdangerous says so, too, but only to the second.
                "iat": microseconds(utcnow()),
            }
        )

    def read(self, token: str) -> Claims:
        """Return what a token says.

        :raises TokenInvalid: when it cannot be believed.
        """
        try:
            fields = self._serializer().loads(token, max_age=self.lifetime)
            if fields["aud"] != self._service:
                raise TokenInvalid("the token is meant for another service")
            return Claims(
                subject=fields["sub"],
                username=fields["usr"],
                access=tuple(Scope(k, n, tuple(a)) for k, n, a in fields["access"]),
                credential=fields["via"],
                issued_at=fields["iat"],
            )
        except (BadData, KeyError) as error:
            # What lacks a field was signed by another version of this package.
            raise TokenInvalid(str(error)) from None

    def _serializer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            list(self._keys()),
            salt=SALT,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )
