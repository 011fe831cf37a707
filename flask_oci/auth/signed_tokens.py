"""Bearer tokens, which are claims, signed; and the tokens of forms.

"The token is opaque to the client" (Distribution's docs/content/spec/auth/
token.md), so it is what itsdangerous makes of a few short fields. This is the
only module that knows itsdangerous.
"""

from __future__ import annotations

import hashlib
import time
import typing as t
from dataclasses import dataclass
from functools import lru_cache

from itsdangerous import BadData
from itsdangerous import URLSafeTimedSerializer

from ..clock import microseconds
from ..clock import utcnow
from ..spec.scope import Scope

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

#: Keeps a token of ours from being taken for anything else that the host signs
#: with the same key, and the other way round.
SALT: t.Final = "flask-oci.bearer"

#: The same for what is in the forms of the pages.
FORM_SALT: t.Final = "flask-oci.form"

#: For how many seconds a form can be sent that somebody has in front of them.
FORM_LIFETIME: t.Final = 12 * 60 * 60


#: For how many seconds a token is good before and after its time. A client counts
#: from when it got it, several servers' clocks differ, and what is refused in the
#: middle of a push is a push that failed.
LEEWAY: t.Final = 10


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
    :param lifetime: for how many seconds they are good, which clients are told.
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
        return _serializer(tuple(self._keys()), SALT).dumps(
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
            signed = _verified(token, tuple(self._keys()))
        except (BadData, KeyError) as error:
            # What lacks a field was signed by another version of this package.
            raise TokenInvalid(str(error)) from None
        age = int(time.time()) - signed.at
        if not -LEEWAY <= age <= self.lifetime + LEEWAY:
            raise TokenInvalid("the token is from another time")
        if signed.service != self._service:
            raise TokenInvalid("the token is meant for another service")
        return signed.claims


class FormTokens:
    """Signs and checks what only a page of ours can have put into a form.

    A page of another site can have a visitor's browser send a form, with the
    visitor's cookies. It cannot know what is in ours.

    :param keys: returns the signing keys, the present one last.
    """

    def __init__(self, keys: Callable[[], Sequence[str]]) -> None:
        self._keys = keys

    def sign(self, subject: str) -> str:
        """Make a token for the forms of a user."""
        return _serializer(tuple(self._keys()), FORM_SALT).dumps(subject)

    def accepts(self, token: str, subject: str) -> bool:
        """Tell whether a token was made for that user, and not long ago."""
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
    """When it was signed, in whole seconds after 1970."""


# A client sends its token with every request. That the signature is right stays so;
# what can change, its age before all, is looked at each time.
@lru_cache(maxsize=1024)
def _verified(token: str, keys: tuple[str, ...]) -> _Signed:
    fields, moment = _serializer(keys, SALT).loads(token, return_timestamp=True)
    claims = Claims(
        subject=fields["sub"],
        username=fields["usr"],
        access=tuple(Scope(k, n, tuple(a)) for k, n, a in fields["access"]),
        credential=fields["via"],
        issued_at=fields["iat"],
    )
    return _Signed(claims, fields["aud"], moment.timestamp())


@lru_cache(maxsize=16)
def _serializer(keys: tuple[str, ...], salt: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        list(keys),
        salt=salt,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )
