"""A limit to guessing passwords.

A host that limits requests itself, with Flask-Limiter or at its proxy, says so
with ``@registry.before_login``; this one is for all others. Its counts are in
the database, so that several worker processes count together.
"""

from __future__ import annotations

import hashlib
import typing as t
from datetime import datetime
from datetime import timezone
from ipaddress import ip_address
from ipaddress import ip_network

from ..errors import TooManyRequests

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..config import Config

#: How many times the attempts at one account an address has for all accounts.
ACCOUNTS: t.Final = 10


class RateLimiter:
    """Counts failed logins by account and address, and by address alone.

    By account alone would let anybody lock out anybody.
    """

    def __init__(self, catalog: Catalog, config: Config) -> None:
        self._failures = catalog.login_failures
        self._attempts = config.login_attempts
        self._window = config.login_period

    def check(self, username: str, address: str) -> bool:
        """Let a login pass, or not.

        :return: whether there is anything to forget should it succeed.
        :raises TooManyRequests: when there were too many failures; it says in how
            many seconds to try again.
        """
        if self._attempts is None:
            return False
        account, everything = _keys(username, address)
        most = {account: self._attempts, everything: self._attempts * ACCOUNTS}
        counts = self._failures.counts(most, self._window)
        for key, (count, since) in counts.items():
            if count >= most[key]:
                raise self._refusal(since)
        return account in counts

    def failed(self, username: str, address: str) -> None:
        """Count a login that failed."""
        if self._attempts is not None:
            self._failures.add(_keys(username, address), self._window)

    def succeeded(self, username: str, address: str) -> None:
        """Forget the failures of an account at an address."""
        self._failures.forget(_keys(username, address)[0])

    def _refusal(self, since: datetime) -> TooManyRequests:
        left = since + self._window - datetime.now(timezone.utc)
        seconds = max(1, int(left.total_seconds()))
        return TooManyRequests(
            f"Logging in failed too often; try again in {seconds} seconds.",
            headers={"Retry-After": str(seconds)},
        )


def _keys(username: str, address: str) -> tuple[str, str]:
    place = _place(address)
    return _key(f"{place}\n{username}"), _key(place)


def _place(address: str) -> str:
    """Return what somebody cannot easily change of their address. Whoever has an IPv6
    address has at least as many as there are in a network of 64 bits."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4 or parsed.ipv4_mapped:
        return address
    return str(ip_network((parsed, 64), strict=False))


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
