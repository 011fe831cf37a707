"""What has to be true of a registry at any moment."""

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

#: How often the same request is sent until it is answered.
TRIES: t.Final = 40


class Asker:
    """Sends requests until they are answered, which does no harm to any of them.

    :param client: its connection.
    :param ledger: where retries are counted.
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
        """Return the answer, which has to be one of those that are expected."""
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
        """Return what is at a path, or None."""
        answer = self.send("GET", path, expected=(200, 404))
        return answer if answer.status == 200 else None


def verify(asker: Asker, key: Key) -> None:
    """Check that a key, to which nobody is writing, is what it has to be."""
    ledger = asker.ledger
    # What may be there and is gone a moment later was still right to be there.
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
