"""Signed tokens: bearer tokens with claims, and tokens against forged forms.

"The token is opaque to the client" (Distribution's docs/content/spec/auth/token.md), so
it is a short text signed by itsdangerous. No other module uses itsdangerous.
"""

from __future__ import annotations

import hashlib
import time
import typing as t
from dataclasses import dataclass
from dataclasses import replace
from functools import lru_cache

from itsdangerous import BadData
from itsdangerous import URLSafeTimedSerializer

from ..clock import microseconds
from ..clock import utcnow
from ..spec.scope import Scope

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

#: Separates bearer tokens from other texts that the host signs with the same key.
SALT: t.Final = "flask-oci.bearer"

#: The same for the tokens in forms.
FORM_SALT: t.Final = "flask-oci.form"

#: How many seconds after it was shown a form can be sent.
FORM_LIFETIME: t.Final = 12 * 60 * 60


#: The maximum length of a bearer token. Servers accept eight kilobytes in all headers,
#: and some proxies four.
MAX_LENGTH: t.Final = 4000

#: How many seconds before and after its lifetime a token is accepted. Clients count
#: from when they receive the token, the clocks of several servers differ, and a token
#: that is refused in the middle of a push breaks the push.
LEEWAY: t.Final = 10


class TokenInvalid(Exception):
    """The token is forged, damaged, expired or issued for another service."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a bearer token."""

    subject: str
    """The subject of the user; empty for an anonymous client."""

    username: str
    """The name of the user when the token was issued."""

    access: tuple[Scope, ...]
    """The scopes that the token covers at most."""

    credential: str | None
    """The identifier of the access or refresh token that it was issued for, and ends
    with."""

    issued_at: int = 0
    """When the password was checked or the token was signed, in microseconds since
    1970. To sign, 0 is now."""


class Tokens:
    """Signs and reads bearer tokens.

    :param keys: returns the signing keys, the current one last.
    :param service: the name of the service that the tokens are for.
    :param lifetime: how many seconds a token is valid; clients are told.
    """

    def __init__(
        self, keys: Callable[[], Sequence[str]], service: str, lifetime: int
    ) -> None:
        self._keys = keys
        self._service = service
        self.lifetime = lifetime

    def issue(self, claims: Claims) -> tuple[str, tuple[Scope, ...]]:
        """Return a token that is valid from now on, and the scopes that it covers.

        These are the first scopes of ``claims``, as many as fit into a header. A client
        that needs another one is refused, and requests a token for that scope.
        """
        token, access = self.sign(claims), claims.access
        if len(token) <= MAX_LENGTH:
            return token, access
        few, many = 0, len(access)
        token = self.sign(replace(claims, access=()))
        while many - few > 1:
            middle = (few + many) // 2
            longer = self.sign(replace(claims, access=access[:middle]))
            if len(longer) <= MAX_LENGTH:
                few, token = middle, longer
            else:
                many = middle
        return token, access[:few]

    def sign(self, claims: Claims) -> str:
        """Return a token with ``claims`` that is valid from now on."""
        access = [[s.type, s.name, list(s.actions)] for s in claims.access]
        return _serializer(tuple(self._keys()), SALT).dumps(
            {
                "sub": claims.subject,
                "usr": claims.username,
                "aud": self._service,
                "access": access,
                "via": claims.credential,
                # Itsdangerous stores the time too, but only in whole seconds. All
                # access of the user may end while the password is being checked.
                "iat": claims.issued_at or microseconds(utcnow()),
            }
        )

    def read(self, token: str) -> Claims:
        """Return the claims of a token.

        :raises TokenInvalid: if the token is invalid.
        """
        try:
            signed = _verified(token, tuple(self._keys()))
        except (BadData, KeyError) as error:
            # A token without a field was signed by another version of this package.
            raise TokenInvalid(str(error)) from None
        age = int(time.time()) - signed.at
        if not -LEEWAY <= age <= self.lifetime + LEEWAY:
            raise TokenInvalid("the token has expired, or is not valid yet")
        if signed.service != self._service:
            raise TokenInvalid("the token was issued for another service")
        return signed.claims


class FormTokens:
    """Signs and checks the tokens in the forms of the registry's pages.

    A page of another site can make a visitor's browser send a form with the visitor's
    cookies. It cannot know the token in the registry's own forms.

    :param keys: returns the signing keys, the current one last.
    """

    def __init__(self, keys: Callable[[], Sequence[str]]) -> None:
        self._keys = keys

    def sign(self, subject: str) -> str:
        """Return a token for the forms of a user."""
        return _serializer(tuple(self._keys()), FORM_SALT).dumps(subject)

    def accepts(self, token: str, subject: str) -> bool:
        """Return True if a token was issued for this user and has not expired."""
        try:
            found = _serializer(tuple(self._keys()), FORM_SALT).loads(
                token, FORM_LIFETIME
            )
        except BadData:
            return False
        return bool(found == subject)


class _Signed(t.NamedTuple):
    claims: Claims
    service: str
    at: float
    """When the token was signed, in whole seconds since 1970."""


# A client sends its token with every request. The signature is verified once;
# conditions that can change, such as the age, are checked each time.
@lru_cache(maxsize=1024)
def _verified(token: str, keys: tuple[str, ...]) -> _Signed:
    fields, signed_at = _serializer(keys, SALT).loads(token, return_timestamp=True)
    claims = Claims(
        subject=fields["sub"],
        username=fields["usr"],
        access=tuple(Scope(k, n, tuple(a)) for k, n, a in fields["access"]),
        credential=fields["via"],
        issued_at=fields["iat"],
    )
    return _Signed(claims, fields["aud"], signed_at.timestamp())


@lru_cache(maxsize=16)
def _serializer(keys: tuple[str, ...], salt: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        list(keys),
        salt=salt,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
