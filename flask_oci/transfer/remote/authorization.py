"""Credentials for the requests to one registry: passwords and bearer tokens."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from collections.abc import Collection

from ..base import TransferError
from . import challenges
from .address import ImageAddress
from .challenges import Challenge
from .credentials import Login
from .origin import is_secure
from .origin import may_receive_credentials
from .origin import UrlOrigin
from .retry import finish
from .retry import Response
from .token_requests import token_request
from .token_requests import TokenRequest

#: The maximum number of headers that are remembered. An upstream has one for each of
#: its repositories.
MAX_HEADERS = 1000


class Authorization:
    """The ``Authorization`` headers of one registry, by scope.

    :param address: a repository of the registry.
    :param fetch_token: makes a request to a token service.
    :param token_hosts: the hosts that the user trusts with the credentials.
    :param find_login: returns the credentials for a registry, or None.
    :param remedy: how the user trusts another host with the credentials.
    """

    def __init__(
        self,
        address: ImageAddress,
        fetch_token: Callable[[TokenRequest], str],
        token_hosts: Collection[str],
        find_login: Callable[[str], Login | None],
        remedy: str,
    ) -> None:
        self._host = address.host
        self._origin = UrlOrigin.of(address.url)
        self._fetch_token = fetch_token
        self._token_hosts = token_hosts
        self._lock = threading.Lock()
        self._credentials = find_login
        self._remedy = remedy
        self._headers: OrderedDict[str, str] = OrderedDict()
        self._login: Login | None = None
        self._has_login = False

    def get(self, scope: str) -> str | None:
        """Return the header for a scope, or None before the first challenge."""
        return self._headers.get(scope)

    def answer(self, response: Response, scope: str, used: str | None) -> bool:
        """Get the credentials that a challenge asks for.

        :param response: a response with the status 401.
        :param used: the credentials that were just refused.
        :return: False if there are no others.
        """
        asked = challenges.parse(response.headers.getlist("WWW-Authenticate"))
        with self._lock:
            # Several threads get 401 for an expired token; one gets the next token.
            if self._headers.get(scope) != used:
                finish(response)
                return True
            for challenge in sorted(asked, key=lambda c: c.scheme, reverse=True):
                found = self._authorize(challenge, scope)
                if found is not None and found != used:
                    finish(response)
                    self._headers[scope] = found
                    self._headers.move_to_end(scope)
                    if len(self._headers) > MAX_HEADERS:
                        self._headers.popitem(last=False)
                    return True
        return False

    def _authorize(self, challenge: Challenge, scope: str) -> str | None:
        login = self._find_login()
        if challenge.scheme == "basic":
            return None if login is None or login.is_identity else login.basic
        realm = challenge.parameters.get("realm", "")
        self._check_realm(realm, login)
        request = token_request(realm, challenge, scope, login)
        return f"Bearer {self._fetch_token(request)}"

    def _check_realm(self, realm: str, login: Login | None) -> None:
        """Check that a token service may receive the credentials.

        An anonymous client may ask any service, because it sends no secret.
        """
        if not is_secure(realm, self._origin):
            raise TransferError(
                f"{self._host} requests credentials for '{realm[:200]}', which is"
                " invalid or without TLS."
            )
        if login is None:
            return
        service = UrlOrigin.of(realm)
        if not may_receive_credentials(service, self._origin, self._token_hosts):
            raise TransferError(
                f"{self._host} requests credentials for '{realm[:200]}', which is on"
                " another host. If you trust that host with your password, use"
                f" {self._remedy.format(service.netloc)}."
            )

    def _find_login(self) -> Login | None:
        if not self._has_login:
            self._login = self._credentials(str(self._host))
            self._has_login = True
        return self._login
