"""Rate limit for failed logins.

A host that limits requests itself, with Flask-Limiter or at its proxy, registers
``@registry.before_login``. This limit is for all other hosts. Its counts are in the
database, so that all worker processes share them.
"""

from __future__ import annotations

import hashlib
import typing as t
from datetime import datetime
from datetime import timezone
from ipaddress import ip_address
from ipaddress import ip_network

from werkzeug.exceptions import HTTPException

from ..errors import TooManyRequests
from ..errors import Unauthorized

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..catalog import Catalog
    from ..config import Config

T = t.TypeVar("T")

#: The statuses of HTTP errors by which a host may refuse a password.
REFUSALS: t.Final = frozenset({401, 403})

#: The limit for an address, as a multiple of the limit for one account.
ACCOUNTS: t.Final = 10


class RateLimiter:
    """Counts failed logins by account and address, and by address alone.

    A count by account alone would allow any client to lock out any user.
    """

    def __init__(self, catalog: Catalog, config: Config) -> None:
        self._failures = catalog.login_failures
        self._attempts = config.login_attempts
        self._window = config.login_period

    def limited(
        self, username: str, address: str, check: Callable[[], T | None]
    ) -> T | None:
        """Return the result of a check of a password, and count its failure.

        :param check: returns None if the password is wrong. A host may raise the HTTP
            error 401 or 403 instead.
        :raises TooManyRequests: if there were too many failures, before the check or
            during it.
        """
        failed_before = self.check(username, address)
        # Simultaneous guesses all pass the first check. None of them may learn its
        # result once the limit is used up, also not that the password is correct.
        try:
            found = check()
        except Unauthorized:
            self.check(username, address)
            raise
        except HTTPException as error:
            if error.code in REFUSALS:
                self.check(username, address)
                self.record_failure(username, address)
            raise
        self.check(username, address)
        if found is None:
            self.record_failure(username, address)
        elif failed_before:
            self.reset(username, address)
        return found

    def check(self, username: str, address: str) -> bool:
        """Refuse a login after too many failures.

        :return: True if there are failures to reset after a successful login.
        :raises TooManyRequests: if there were too many failures. The error names the
            seconds until the next attempt.
        """
        if self._attempts is None:
            return False
        most = self._limits(self._attempts, username, address)
        counts = self._failures.counts(most, self._window)
        for key, (count, since) in counts.items():
            if count >= most[key]:
                raise self._refusal(since)
        return _keys(username, address)[0] in counts

    def record_failure(self, username: str, address: str) -> None:
        """Count a failed login.

        :raises TooManyRequests: if simultaneous logins have used up the limit.
        """
        if self._attempts is None:
            return
        most = self._limits(self._attempts, username, address)
        if not self._failures.add(most, self._window):
            self.check(username, address)

    def reset(self, username: str, address: str) -> None:
        """Reset the failures of an account at an address."""
        self._failures.forget(_keys(username, address)[0])

    @staticmethod
    def _limits(attempts: int, username: str, address: str) -> dict[str, int]:
        account, network = _keys(username, address)
        return {account: attempts, network: attempts * ACCOUNTS}

    def _refusal(self, since: datetime) -> TooManyRequests:
        left = since + self._window - datetime.now(timezone.utc)
        seconds = max(1, int(left.total_seconds()))
        return TooManyRequests(
            f"Too many failed logins; try again in {seconds} seconds.",
            headers={"Retry-After": str(seconds)},
        )


def check_no_answer(result: object) -> None:
    """Check that the host's function did not try to refuse a login by its result."""
    if result is not None and result is not True:
        raise TypeError(
            "The function of @registry.before_login must raise an HTTP error, such as"
            f" 429, to refuse a login. It returned {type(result).__name__}."
        )


def _keys(username: str, address: str) -> tuple[str, str]:
    network = network_of(address)
    return _key(f"{network}\n{username}"), _key(network)


def network_of(address: str) -> str:
    """Return the part of an address that a client cannot easily change. A client with
    IPv6 usually has a network of 64 bits."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4 or parsed.ipv4_mapped:
        return address
    return str(ip_network((parsed, 64), strict=False))


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
