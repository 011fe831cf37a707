"""The bytes of a blob of another registry."""

from __future__ import annotations

import urllib3

from ..base import Interrupted
from .retry import ATTEMPTS
from .retry import pause
from .retry import Response
from .session import Session


class RemoteBlob:
    """The bytes of a blob, from as many answers as it takes."""

    def __init__(self, session: Session, url: str, scope: str) -> None:
        self._session = session
        self._url = url
        self._scope = scope
        self._position = 0
        self._response: Response | None = None
        self._failures = 0

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, and none at the end."""
        while True:
            try:
                if self._response is None:
                    self._response = self._ask()
                piece = self._response.read(size)
            except urllib3.exceptions.HTTPError as error:
                self._fail(error)
            else:
                self._position += len(piece)
                return piece

    def close(self) -> None:
        """Let go of the connection."""
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
            raise Interrupted("The rest of a blob is not to be had.")
        return response

    def _fail(self, error: Exception) -> None:
        self.close()
        self._response = None
        self._failures += 1
        if self._failures >= ATTEMPTS:
            raise Interrupted(f"A blob breaks off again and again: {error}.") from error
        pause(self._failures)
