"""The text of an identity token, read with bounds before anything is verified."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import typing as t
from dataclasses import dataclass

from ...errors import ManifestInvalid
from ...spec.json_object import read_object
from .algorithms import ALGORITHMS
from .algorithms import MAX_KEY_ID
from .refusal import IdentityRefused

#: The maximum length of an identity token. Those of known issuers have at most 4000
#: characters, and servers accept about eight kilobytes in all headers.
MAX_LENGTH: t.Final = 16 * 1024

#: The maximum length of its header and of its signature, in characters.
_MAX_HEADER: t.Final = 4096
_MAX_SIGNATURE: t.Final = 2048

_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class TokenText:
    """An identity token that is well-formed, and not verified."""

    text: str
    algorithm: str
    key_id: str
    issuer: str
    """The claim ``iss``, which selects the keys."""

    @property
    def hash(self) -> str:
        """A hash of the signed part. The same claims can have several signatures."""
        return hashlib.sha256(self.text.rpartition(".")[0].encode()).hexdigest()


def is_identity_token(secret: str) -> bool:
    """Return True if a password has the form of an identity token."""
    return secret.startswith("eyJ") and secret.count(".") == 2


def read_text(token: str) -> TokenText:
    """Return a well-formed identity token.

    :raises IdentityRefused: if it is too long or malformed, or has an algorithm that
        is not accepted.
    """
    if len(token) > MAX_LENGTH:
        raise IdentityRefused(
            f"The identity token has more than {MAX_LENGTH} characters. Send the token"
            " that the issuer returned, and nothing else.",
            "size",
        )
    if not _FORM.fullmatch(token):
        raise _malformed("It needs three parts in base64url, separated by dots.")
    header, payload, signature = token.split(".")
    if len(header) > _MAX_HEADER or len(signature) > _MAX_SIGNATURE:
        raise _malformed("Its header or its signature is too long.")
    fields, claims = _object(header), _object(payload)
    issuer = claims.get("iss")
    if not isinstance(issuer, str):
        raise _malformed("The claim iss is missing.")
    return TokenText(token, _algorithm(fields), _key_id(fields), issuer)


def _algorithm(header: dict[str, t.Any]) -> str:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise IdentityRefused(
            "The identity token is not signed with a public-key algorithm that the"
            " registry accepts. Configure the issuer to sign with RS256 or ES256.",
            "algorithm",
        )
    if "crit" in header or "b64" in header:
        raise _malformed("Its header has extensions that the registry does not know.")
    if str(header.get("typ", "JWT")).upper() != "JWT":
        raise _malformed("Its header names another type than JWT.")
    return algorithm


def _key_id(header: dict[str, t.Any]) -> str:
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KEY_ID:
        raise _malformed("Its header has no 'kid'.")
    return key_id


def _object(part: str) -> dict[str, t.Any]:
    try:
        decoded = base64.b64decode(
            part + "=" * (-len(part) % 4), altchars=b"-_", validate=True
        )
        return read_object(decoded)
    except (ManifestInvalid, binascii.Error, ValueError):
        raise _malformed("A part of it is not a JSON object.") from None


def _malformed(problem: str) -> IdentityRefused:
    return IdentityRefused(
        f"The identity token is malformed. {problem} Send the token that the issuer"
        " returned, in one line.",
        "malformed",
    )
