"""Requests for bearer tokens, as a challenge of a registry asks for them."""

from __future__ import annotations

import typing as t
from urllib.parse import urlencode

from .challenges import Challenge
from .credentials import Login

AGENT: t.Final = "flask-oci"


class TokenRequest(t.NamedTuple):
    """A request to a token service."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None


def token_request(
    realm: str, challenge: Challenge, scope: str, login: Login | None
) -> TokenRequest:
    """Return the request for a token.

    :param realm: the URL of the token service.
    :param scope: the scopes that the token needs, besides those of the challenge.
    """
    scopes = dict.fromkeys(
        [*scope.split(), *challenge.parameters.get("scope", "").split()]
    )
    service = challenge.parameters.get("service", "")
    fields = [("service", service)] if service else []
    headers = {"User-Agent": AGENT}
    if login is not None and login.is_identity:
        form = [
            *fields,
            ("grant_type", "refresh_token"),
            ("client_id", AGENT),
            ("refresh_token", login.secret),
            ("scope", " ".join(scopes)),
        ]
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return TokenRequest("POST", realm, headers, urlencode(form).encode())
    if login is not None:
        headers["Authorization"] = login.basic
        fields.append(("account", login.username))
    fields += [("scope", each) for each in scopes]
    mark = "&" if "?" in realm else "?"
    return TokenRequest("GET", f"{realm}{mark}{urlencode(fields)}", headers)
