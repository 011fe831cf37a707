"""Blobs of other registries."""

from __future__ import annotations

import urllib3

from ..base import Interrupted
from .retry import pause
from .retry import reason
from .retry import Response
from .session import Session


class RemoteBlob:
    """The bytes of a blob, from one or several responses.

    :param by_arrival: whether :meth:`read` returns bytes as soon as they arrive.
    """

    def __init__(
        self, session: Session, url: str, scope: str, *, by_arrival: bool = False
    ) -> None:
        self._by_arrival = by_arrival
        self._session = session
        self._url = url
        self._scope = scope
        self._position = 0
        self._response: Response | None = None
        self._failures = 0

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        while True:
            try:
                if self._response is None:
                    self._response = self._ask()
                piece = (
                    self._response.read1(size)
                    if self._by_arrival
                    else self._response.read(size)
                )
            except urllib3.exceptions.HTTPError as error:
                self._fail(error)
            else:
                self._position += len(piece)
                return piece

    def close(self) -> None:
        """Close the connection."""
        if self._response is not None:
            self._response.close()

    def _ask(self) -> Response:
        wanted = {"Range": f"bytes={self._position}-"} if self._position else {}
        response = self._session.request(
            "GET",
            self._url,
            scope=self._scope,
            expected=(200, 206),
            headers=wanted,
        )
        said = response.headers.get("Content-Range", "")
        if wanted and not said.startswith(f"bytes {self._position}-"):
            response.close()
            raise Interrupted("The rest of a blob is not available.")
        return response

    def _fail(self, error: Exception) -> None:
        self.close()
        self._response = None
        self._failures += 1
        if self._failures >= self._session.attempts:
            raise Interrupted(
                f"The download of a blob was interrupted repeatedly: {reason(error)}."
            ) from error
        pause(self._failures)
