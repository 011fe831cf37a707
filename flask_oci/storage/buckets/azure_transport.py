"""Connections to Azure Blob Storage: timeouts, attempts and bodies in pieces."""

from __future__ import annotations

import typing as t

from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import LinearRetry
from requests import Session
from requests.adapters import HTTPAdapter

from . import circuit_breaker
from .pieces import in_pieces

if t.TYPE_CHECKING:
    from requests import PreparedRequest
    from requests import Response

#: The number of connections that a process keeps.
CONNECTIONS: t.Final = 32

#: The mean wait before a request is repeated, in seconds.
BACKOFF: t.Final = 1.0


def make_transport(timeout: float) -> RequestsTransport:
    """Return the transport of a client.

    :param timeout: how long the service may be silent, in seconds.
    """
    session = Session()
    session.mount("https://", _Adapter())
    session.mount("http://", _Adapter())
    return RequestsTransport(
        session=session, connection_timeout=timeout / 2, read_timeout=timeout
    )


def make_retry_policy() -> LinearRetry:
    """Return the policy by which a client repeats requests. By default, a request
    sleeps 33 s in its thread before it fails."""
    return LinearRetry(
        backoff=t.cast(int, BACKOFF),
        random_jitter_range=t.cast(int, BACKOFF / 2),
        retry_total=circuit_breaker.ATTEMPTS - 1,
        retry_read=circuit_breaker.SILENT_ATTEMPTS - 1,
    )


class _Adapter(HTTPAdapter):
    """Connections that send large bodies piece by piece."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=CONNECTIONS)

    def send(
        self, request: PreparedRequest, *args: t.Any, **options: t.Any
    ) -> Response:
        """Send a request."""
        request.body = t.cast(t.Any, in_pieces(request.body))
        return super().send(request, *args, **options)
