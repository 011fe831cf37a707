"""Reading blobs of upstreams."""

from __future__ import annotations

from ..transfer.remote.blob import RemoteBlob
from .circuit_breaker import CircuitBreaker
from .failures import UNREACHABLE
from .remote_errors import as_failure


class BlobReader:
    """The bytes of a blob at an upstream, as they arrive.

    :param remote: reads the bytes, and resumes after an interruption.
    """

    def __init__(self, remote: RemoteBlob, breaker: CircuitBreaker) -> None:
        self._remote = remote
        self._breaker = breaker
        self._has_answer = False
        breaker.check()

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, and an empty value at the end.

        :raises UpstreamFailed: if the upstream does not send them.
        """
        try:
            piece = self._remote.read(size)
        except Exception as error:
            failure = as_failure(error)
            if failure is None:
                raise
            if failure.kind == UNREACHABLE:
                self._breaker.fail(failure, at_once=not self._has_answer)
            raise failure from error
        if not self._has_answer:
            self._breaker.succeed()
        self._has_answer = True
        return piece

    def close(self) -> None:
        """Close the connection."""
        self._remote.close()
