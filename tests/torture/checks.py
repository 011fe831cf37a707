"""Checks that have to pass on a registry at any time."""

from __future__ import annotations

import typing as t

from .client import Answer
from .client import Broken
from .client import Client
from .content import digest_of
from .content import Image
from .ledger import Key
from .ledger import Ledger
from .ledger import State

#: The number of attempts to get an answer to the same request.
TRIES: t.Final = 40


class Asker:
    """Sends each request until it is answered; a repetition does no harm.

    :param client: its connection.
    :param ledger: counts the retries.
    """

    def __init__(self, client: Client, ledger: Ledger) -> None:
        self.client = client
        self.ledger = ledger

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: t.Mapping[str, str] | None = None,
        *,
        expected: t.Collection[int],
    ) -> Answer:
        """Return the answer, which has to have an expected status."""
        for attempt in range(TRIES):
            try:
                answer = self.client.request(method, path, body, headers)
            except Broken:
                self.ledger.count("retries")
                continue
            assert answer.status in expected, (attempt, method, path, answer)
            return answer
        raise AssertionError(f"{method} {path} was never answered")

    def get(self, path: str) -> Answer | None:
        """Return the answer for a path, or None if it is a 404."""
        answer = self.send("GET", path, expected=(200, 404))
        return answer if answer.status == 200 else None


def verify(asker: Asker, key: Key) -> None:
    """Check that a key has a permitted state. No client may be writing to it."""
    ledger = asker.ledger
    # Content that is gone a moment later was still permitted to exist.
    allowed = ledger.allowed(key)
    place = "blobs" if key.kind == "blob" else "manifests"
    answer = asker.get(f"/v2/{key.repository}/{place}/{key.name}")
    found: State = None if answer is None else digest_of(answer.body)
    assert found in allowed | ledger.allowed(key), (key, found, allowed)
    if key.kind == "tag":
        ledger.found(key, found)
    if found is not None and key.kind != "blob" and len(allowed) == 1:
        _verify_blobs(asker, key.repository, ledger.image(key.repository, found))


def _verify_blobs(asker: Asker, repository: str, image: Image) -> None:
    for blob in image.blobs:
        answer = asker.get(f"/v2/{repository}/blobs/{blob.digest}")
        assert answer is not None, (repository, image.digest, blob.digest)
        assert answer.body == blob.content, (repository, blob.digest)
