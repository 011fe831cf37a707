"""Failures of upstreams, and the errors that clients get for them."""

from __future__ import annotations

import typing as t

from ..errors import RegistryError
from ..errors import TooManyRequests
from ..errors import Unavailable

#: The kinds of failures, which are values of a metric.
UNREACHABLE: t.Final = "unreachable"
LIMITED: t.Final = "limited"
REFUSED: t.Final = "refused"
MISSING: t.Final = "missing"
INVALID: t.Final = "invalid"
ERROR: t.Final = "error"

#: The largest ``Retry-After`` that is believed, in seconds.
MAX_PAUSE: t.Final = 3600.0


class UpstreamFailed(Exception):
    """An upstream did not answer a request as it should.

    :param kind: one of the kinds above.
    :param reason: a sentence for the operator.
    :param pause: the time that the upstream asks to wait for, in seconds.
    """

    def __init__(self, kind: str, reason: str, pause: float = 0) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.pause = min(pause, MAX_PAUSE)

    def as_error(self, host: str) -> RegistryError:
        """Return the error for the client. The reason can name internal hosts, so it is
        only in the log.

        :param host: the upstream, as users know it.
        """
        if self.kind == LIMITED:
            return TooManyRequests(
                f"{host} limits the requests of this registry, and this content is not"
                " cached; try again later.",
                headers={"Retry-After": str(max(int(self.pause), 60))},
            )
        said = {
            REFUSED: "refuses the request of this registry",
            INVALID: "sent invalid content",
        }.get(self.kind, "does not respond")
        return Unavailable(
            f"{host} {said}, and this content is not cached; try again in a minute."
        )
