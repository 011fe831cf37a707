"""The ways to get a blob into a repository, with retries after each failure."""

from __future__ import annotations

import random
from urllib.parse import quote

from .checks import Asker
from .checks import TRIES
from .client import Broken
from .content import Blob


class Transfer:
    """Pushes and mounts blobs.

    :param asker: sends the requests.
    :param rng: the source of random numbers.
    """

    def __init__(self, asker: Asker, rng: random.Random) -> None:
        self._asker = asker
        self._client = asker.client
        self._ledger = asker.ledger
        self._rng = rng

    def is_there(self, repository: str, blob: Blob) -> bool:
        """Return True if a repository has a blob."""
        path = f"/v2/{repository}/blobs/{blob.digest}"
        answer = self._asker.send("HEAD", path, expected=(200, 404))
        if answer.status == 404:
            return False
        assert answer.headers["content-length"] == str(len(blob.content))
        return True

    def mount(self, repository: str, blob: Blob, source: str) -> bool:
        """Mount a blob from another repository, if that has it."""
        path = f"/v2/{repository}/blobs/uploads/?mount={blob.digest}&from={source}"
        answer = self._asker.send("POST", path, expected=(201, 202))
        self._ledger.count("mounts" if answer.status == 201 else "failed mounts")
        return answer.status == 201

    def push(self, repository: str, blob: Blob) -> None:
        """Push a blob in a random way."""
        push = self._rng.choice((self._whole, self._streamed, self._broken))
        for _ in range(TRIES):
            if push(repository, blob):
                self._ledger.count("blobs")
                return
            # A client that has lost its session starts another.
        raise AssertionError(f"{blob.digest} could not be pushed to {repository}")

    def _whole(self, repository: str, blob: Blob) -> bool:
        path = f"/v2/{repository}/blobs/uploads/?digest={blob.digest}"
        self._asker.send("POST", path, blob.content, expected=(201,))
        return True

    def _streamed(self, repository: str, blob: Blob) -> bool:
        location = self._start(repository)
        try:
            answer = self._client.request("PATCH", location, blob.content, chunked=True)
        except Broken:
            return self._resume(location, blob)
        assert answer.status in (202, 404), answer
        return answer.status == 202 and self._finish(location, blob)

    def _broken(self, repository: str, blob: Blob) -> bool:
        location = self._start(repository)
        cut = self._rng.randrange(len(blob.content))
        # A server may read the first bytes late, after bytes that were sent later. The
        # range prevents that they are appended there.
        span = {"Content-Range": f"0-{len(blob.content) - 1}"}
        try:
            self._client.request("PATCH", location, blob.content, span, cut=cut)
        except Broken:
            self._ledger.count("broken bodies")
            return self._resume(location, blob)
        raise AssertionError("a body that broke off was answered")

    def _resume(self, location: str, blob: Blob) -> bool:
        """Continue from the length that the session reports."""
        for _ in range(TRIES):
            answer = self._asker.send("GET", location, expected=(204, 404))
            if answer.status == 404:
                return False
            last = int(answer.headers["range"].partition("-")[2])
            # The range of an empty session is that of one byte. The byte is sent again.
            start = last + 1 if last else 0
            if start == len(blob.content) or self._go_on(location, blob, start):
                return self._finish(location, blob)
        return False

    def _go_on(self, location: str, blob: Blob, start: int) -> bool:
        span = {"Content-Range": f"{start}-{len(blob.content) - 1}"}
        try:
            answer = self._client.request("PATCH", location, blob.content[start:], span)
        except Broken:
            self._ledger.count("retries")
            return False
        # 416: the server is still writing the bytes that arrived before the failure.
        assert answer.status in (202, 404, 416), answer
        return answer.status == 202

    def _start(self, repository: str) -> str:
        path = f"/v2/{repository}/blobs/uploads/"
        return self._asker.send("POST", path, expected=(202,)).headers["location"]

    def _finish(self, location: str, blob: Blob) -> bool:
        path = f"{location}?digest={quote(blob.digest)}"
        # 404: the session was lost. 416: a killed worker still has it open.
        return self._asker.send("PUT", path, expected=(201, 404, 416)).status == 201
