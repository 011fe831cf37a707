"""Verification of identity tokens: the issuer, the signature, the audience and the
time (OpenID Connect Core 1.0, section 3.1.3.7)."""

from __future__ import annotations

import hashlib
import time
import typing as t
from dataclasses import dataclass
from datetime import datetime
from datetime import timezone

from ...rules.publishers import Job
from ...spec.json_object import read_object
from ..signed_tokens import LEEWAY
from .refusal import IdentityRefused
from .signatures import verified_payload
from .token_text import read_text

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ...config.issuers import Issuer
    from .key_cache import KeyCache
    from .token_text import TokenText

#: The maximum lifetime of an identity token, in seconds: the longest usual job.
MAX_LIFETIME: t.Final = 24 * 60 * 60

#: The latest time that is accepted, in seconds since 1970. No later one is a date.
_LATEST: t.Final = 2**37


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified identity token."""

    issuer: Issuer
    claims: Mapping[str, t.Any]
    expires_at: datetime

    token_hash: str
    """A hash of the token, by which its repeated use is recognised."""

    use_key: str
    """A hash of the issuer and of the token's identifier, which is used once."""

    @property
    def job(self) -> Job:
        """The job that it was issued for."""
        return self.issuer.kind.job(self.claims)


class IdentityTokens:
    """Verifies identity tokens.

    :param issuers: the issuers that the operator trusts, by their address.
    :param audience: the audience that a token must have.
    :param keys: the keys of the issuers.
    """

    def __init__(
        self, issuers: Mapping[str, Issuer], audience: str, keys: KeyCache
    ) -> None:
        self.issuers = issuers
        self.audience = audience
        self.keys = keys

    def verify(self, token: str, steps: list[str] | None = None) -> Identity:
        """Return the identity that a token proves.

        :param steps: receives a sentence about each check that the token passes.
        :raises IdentityRefused: if the token is invalid.
        """
        passed: list[str] = [] if steps is None else steps
        text = read_text(token)
        passed.append(f"It is well-formed, and signed with {text.algorithm}.")
        issuer = self._issuer(text.issuer)
        passed.append(f"The operator trusts its issuer, {issuer.url}.")
        key = self.keys.key(issuer, text.key_id)
        if key is None:
            raise IdentityRefused(
                "The issuer has no key with the 'kid' of the identity token. Request a"
                " new token; after a rotation of keys, try again in a minute.",
                "unknown-key",
            )
        claims = read_object(verified_payload(token, text.algorithm, key))
        passed.append("Its signature is valid.")
        self._check_audience(claims)
        passed.append(f"Its audience is this registry, {self.audience}.")
        expires = _check_times(claims)
        passed.append("It is valid at this time.")
        return Identity(issuer, claims, expires, text.hash, _use_key(text, claims))

    def _issuer(self, url: str) -> Issuer:
        found = self.issuers.get(url)
        if found is not None:
            return found
        for known in self.issuers:
            if known.rstrip("/").casefold() == url.rstrip("/").casefold():
                raise IdentityRefused(
                    "The issuer of the identity token differs from"
                    f" {known} in its case or in a slash at the end. Ask the operator"
                    " to configure the exact text of the claim iss.",
                    "issuer",
                )
        raise IdentityRefused(
            "The registry does not trust the issuer of the identity token. Ask the"
            " operator to add it to OCI_OIDC_ISSUERS.",
            "issuer",
        )

    def _check_audience(self, claims: Mapping[str, t.Any]) -> None:
        audience = claims.get("aud")
        # A token for several services could be replayed by each of them.
        if audience not in (self.audience, [self.audience]):
            raise IdentityRefused(
                "The identity token is for another service. Request one whose only"
                f" audience is {self.audience}",
                "audience",
            )


def _check_times(claims: Mapping[str, t.Any]) -> datetime:
    """Return the end of a token's lifetime, in UTC."""
    issued, expires = _moment(claims, "iat"), _moment(claims, "exp")
    begins = _moment(claims, "nbf") if "nbf" in claims else issued
    now = time.time()
    if expires <= now - LEEWAY:
        raise IdentityRefused(
            "The identity token has expired. Request a new one directly before the"
            " login.",
            "expired",
        )
    if max(issued, begins) > now + LEEWAY:
        raise IdentityRefused(
            "The identity token is not valid yet. Set the clocks of the registry and of"
            " the issuer by NTP.",
            "not-yet-valid",
        )
    if not 0 < expires - issued <= MAX_LIFETIME:
        raise IdentityRefused(
            "The identity token is valid for more than 24 hours. Configure a shorter"
            " lifetime, such as 10 minutes.",
            "lifetime",
        )
    return datetime.fromtimestamp(expires, timezone.utc)


def _moment(claims: Mapping[str, t.Any], name: str) -> float:
    value = claims.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= t.cast(float, value) <= _LATEST:
        raise IdentityRefused(
            f"The claim {name} of the identity token is missing or is no time. Request"
            " a token from an issuer that follows OpenID Connect.",
            "malformed",
        )
    return t.cast(float, value)


def _use_key(text: TokenText, claims: Mapping[str, t.Any]) -> str:
    identifier = claims.get("jti")
    if not isinstance(identifier, str) or not identifier:
        identifier = text.hash
    return hashlib.sha256(f"{text.issuer}\0{identifier}".encode()).hexdigest()
