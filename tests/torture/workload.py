"""Simulated users who push, move, mount and delete at random."""

from __future__ import annotations

import json
import random
import time
import typing as t
from dataclasses import dataclass

from .checks import Asker
from .checks import verify
from .content import Blob
from .content import Image
from .content import MANIFEST_TYPE
from .ledger import Key
from .server import GRACE
from .transfer import Transfer

#: The time that a client may rely on a blob, in seconds. A lease is renewed only after
#: a quarter of it, and some databases store whole seconds.
PROMISE: t.Final = GRACE * 0.75 - 1

#: The attempts of a push. Only the collection, and rivals who delete its content, cause
#: another attempt.
TRIES: t.Final = 40


@dataclass(frozen=True)
class Common:
    """The repositories and layers that all users of a test share."""

    names: list[str]
    """The repositories."""

    layers: list[Blob]
    """The layers that all users push."""


class Person:
    """A simulated user who sends one request after another.

    Tags, manifests and some blobs belong to one user, so their states are known. Layers
    and repositories are shared.
    """

    def __init__(self, name: str, common: Common, asker: Asker, seed: str) -> None:
        self.name = name
        self._common = common
        self._ledger = asker.ledger
        self._rng = random.Random(f"{seed}/{name}")
        self._asker = asker
        self._transfer = Transfer(asker, self._rng)
        self._serial = 0
        self._tagged: dict[Key, Image] = {}
        self._blobs: list[tuple[str, Blob]] = []

    def act(self) -> None:
        """Do one random action."""
        actions: dict[t.Callable[[], None], int] = {
            self._push_image: 10,
            self._push_blob: 3,
            self._pull: 3,
            self._delete_tag: 1,
            self._delete_manifest: 2,
            self._delete_blob: 1,
            self._delete_layer: 2,
            self._push_under_a_wrong_digest: 1,
        }
        self._rng.choices(list(actions), list(actions.values()))[0]()

    def rest(self) -> None:
        """Close the connection until the next action."""
        self._asker.client.close()

    def push(self, repository: str, image: Image, tag: str) -> None:
        """Push an image as clients do, and start again until it succeeds."""
        for _ in range(TRIES):
            promised = {
                blob.digest: self._provide(repository, blob) for blob in image.blobs
            }
            missing = self._put_manifest(repository, image, tag)
            if not missing:
                self._ledger.count("pushes")
                return
            self._ledger.count("second tries")
            for digest in missing:
                # Only these two may delete promised content. Any other cause is a loss.
                assert (
                    self._ledger.may_be_gone(repository, digest, promised[digest])
                    or time.time() - promised[digest] >= PROMISE
                ), f"{repository} lost {digest} that was promised to {self.name}"
        raise AssertionError(f"{image.digest} could not be pushed to {repository}")

    def _push_image(self) -> None:
        layers = self._rng.sample(self._common.layers, self._rng.randint(1, 3))
        layers.append(Blob.random(self._rng))
        image = Image.of(self._unheard_of(), layers)
        # There are few names, so tags move.
        tag = f"{self.name}-{self._rng.randrange(4)}"
        self.push(self._any_repository(), image, tag)

    def _provide(self, repository: str, blob: Blob) -> float:
        """Get a blob into a repository; return the time of its promise."""
        way = self._rng.choice(("look", "mount", "push"))
        promised_at = time.time()
        if way == "look" and self._transfer.is_there(repository, blob):
            return promised_at
        promised_at = time.time()
        if way != "push" and self._transfer.mount(
            repository, blob, self._any_repository()
        ):
            return promised_at
        promised_at = time.time()
        self._transfer.push(repository, blob)
        return promised_at

    def _put_manifest(self, repository: str, image: Image, tag: str) -> list[str]:
        """Push a manifest, and return the digests reported as missing."""
        manifest = Key("manifest", repository, image.digest)
        tagged = Key("tag", repository, tag)
        by_digest = self._rng.random() < 0.3
        reference = f"{image.digest}?tag={tag}" if by_digest else tag
        self._ledger.remember(repository, image)
        self._ledger.attempt(manifest, image.digest)
        self._ledger.attempt(tagged, image.digest)
        self._untag(tagged)
        answer = self._asker.send(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            image.manifest,
            {"Content-Type": MANIFEST_TYPE},
            expected=(201, 400),
        )
        if answer.status == 400:
            errors = json.loads(answer.body)["errors"]
            assert {error["code"] for error in errors} == {"MANIFEST_BLOB_UNKNOWN"}
            return [error["detail"] for error in errors]
        self._ledger.acknowledge(manifest, image.digest)
        self._ledger.acknowledge(tagged, image.digest)
        self._tagged[tagged] = image
        return []

    def _untag(self, tagged: Key) -> None:
        """Record that the manifest of a tag may soon become garbage."""
        image = self._tagged.pop(tagged, None)
        if image is not None:
            manifest = Key("manifest", tagged.repository, image.digest)
            self._ledger.attempt(manifest, None)

    def _push_blob(self) -> None:
        repository = self._any_repository()
        blob = Blob.of(self._unheard_of().encode())
        key = Key("blob", repository, blob.digest)
        self._ledger.attempt(key, blob.digest)
        started = time.time()
        self._transfer.push(repository, blob)
        self._ledger.acknowledge(key, blob.digest, started + PROMISE)
        self._blobs.append((repository, blob))

    def _pull(self) -> None:
        if self._tagged:
            verify(self._asker, self._rng.choice(list(self._tagged)))
            self._ledger.count("pulls")

    def _delete_tag(self) -> None:
        if self._tagged:
            tagged = self._rng.choice(list(self._tagged))
            self._ledger.attempt(tagged, None)
            self._untag(tagged)
            self._delete(tagged)

    def _delete_manifest(self) -> None:
        if self._tagged:
            tagged = self._rng.choice(list(self._tagged))
            image = self._tagged.pop(tagged)
            manifest = Key("manifest", tagged.repository, image.digest)
            self._ledger.attempt(manifest, None)
            self._ledger.attempt(tagged, None)
            self._delete(manifest)
            self._ledger.acknowledge(tagged, None)

    def _delete_blob(self) -> None:
        if self._blobs:
            repository, blob = self._blobs.pop(self._rng.randrange(len(self._blobs)))
            key = Key("blob", repository, blob.digest)
            self._ledger.attempt(key, None)
            self._delete(key)

    def _delete(self, key: Key) -> None:
        place = "blobs" if key.kind == "blob" else "manifests"
        # 404: an attempt without an answer deleted it, or it was collected.
        path = f"/v2/{key.repository}/{place}/{key.name}"
        self._asker.send("DELETE", path, expected=(202, 404))
        self._ledger.acknowledge(key, None)
        self._ledger.count("deletes")

    def _delete_layer(self) -> None:
        repository = self._any_repository()
        digest = self._rng.choice(self._common.layers).digest
        self._ledger.deleting(repository, digest)
        path = f"/v2/{repository}/blobs/{digest}"
        # 403: a manifest needs it.
        self._asker.send("DELETE", path, expected=(202, 403, 404))
        self._ledger.deleted(repository, digest)
        self._ledger.count("deletes")

    def _push_under_a_wrong_digest(self) -> None:
        repository = self._any_repository()
        meant = Blob.of(self._unheard_of().encode())
        self._ledger.acknowledge(Key("blob", repository, meant.digest), None)
        path = f"/v2/{repository}/blobs/uploads/?digest={meant.digest}"
        answer = self._asker.send("POST", path, b"something else", expected=(400,))
        assert answer.code() == "DIGEST_INVALID"
        self._ledger.count("wrong digests")

    def _any_repository(self) -> str:
        return self._rng.choice(self._common.names)

    def _unheard_of(self) -> str:
        self._serial += 1
        return f"{self.name} {self._serial}"
