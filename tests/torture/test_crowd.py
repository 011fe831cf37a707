"""Many clients at once: every push succeeds, and no blob is stored twice."""

from __future__ import annotations

import functools
import json
import queue
import typing as t

import pytest

from .checks import Asker
from .client import Answer
from .content import Blob
from .content import Image
from .plan import plan
from .workload import Person
from .world import at_once
from .world import World

pytestmark = pytest.mark.real

REPOSITORIES = 10
LAYERS = 40
RIVALS = 32

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
EMPTY_INDEX = json.dumps(
    {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": []}
).encode()


@pytest.fixture(name="world")
def _world(make_world: t.Callable[..., World]) -> World:
    return make_world(repositories=REPOSITORIES, layers=LAYERS)


def test_push_of_many_clients_at_once_stores_each_blob_once(world: World) -> None:
    """The images share layers. No request fails, and no layer is stored twice."""
    images: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(plan().images):
        images.put(number)

    def push(person: Person) -> None:
        try:
            while True:
                number = images.get_nowait()
                name = world.names[number % REPOSITORIES]
                layers = [world.layers[(number + k) % LAYERS] for k in (0, 1, 7)]
                person.push(name, Image.of(f"image {number}", layers), f"v{number}")
        except queue.Empty:
            pass
        finally:
            person.rest()

    at_once([functools.partial(push, p) for p in world.people(plan().clients)])
    assert not world.ledger.counts["second tries"]
    for name in world.names:
        assert_tags_are_complete(world, name)
    assert_one_file_per_digest(world)
    world.verify(world.ledger.everything())


def assert_tags_are_complete(world: World, name: str) -> None:
    """Check that a repository has exactly the tags that were pushed to it."""
    with world.asker() as asker:
        answer = asker.get(f"/v2/{name}/tags/list")
    assert answer is not None
    pushed = {key.name for key in world.ledger.everything() if key[:2] == ("tag", name)}
    assert set(json.loads(answer.body)["tags"]) == pushed
    assert pushed


def assert_one_file_per_digest(world: World) -> None:
    """Check that the storage has each pushed blob once."""
    pushed = {
        blob.digest
        for key in world.ledger.everything()
        if key.kind == "manifest"
        for blob in world.ledger.image(key.repository, key.name).blobs
    }
    stored = world.server.blobs()
    assert len(stored) == len(set(stored))
    # The forge pushed an image of its own before its first answer.
    assert set(stored) >= pushed
    assert len(stored) <= len(pushed) + 2


Ask = t.Callable[[Asker, int], Answer]


def rivals(world: World, ask: Ask) -> list[Answer]:
    """Send a request from all rivals at once, and return the answers."""

    def alone(number: int) -> Answer:
        with world.asker() as asker:
            return ask(asker, number)

    world.ledger.count("rivals", RIVALS)
    return at_once([functools.partial(alone, number) for number in range(RIVALS)])


def statuses(answers: t.Iterable[Answer]) -> set[int]:
    """Return the statuses of the answers."""
    return {answer.status for answer in answers}


ANY = range(200, 500)


def test_same_request_of_rivals_at_once_succeeds(world: World) -> None:
    """The rivals push the same blob, repository, tag or upload session. Each gets 201,
    or for one session a 4xx; none gets a 5xx."""
    same_blob(world, "alice/r0")
    same_mount(world, "alice/r0", "alice/r1")
    same_manifest(world, "alice/r0")
    same_tag(world, "alice/r2")
    same_new_repository(world, "alice/r3")
    same_session(world, "alice/r4")
    same_deletion(world, "alice/r0")


def same_blob(world: World, name: str) -> None:
    """Push the same blob into a new repository."""
    blob = world.layers[0]
    path = f"/v2/{name}/blobs/uploads/?digest={blob.digest}"
    answers = rivals(
        world, lambda a, _: a.send("POST", path, blob.content, expected=ANY)
    )
    assert statuses(answers) == {201}


def same_mount(world: World, source: str, name: str) -> None:
    """Mount the same blob into a new repository."""
    digest = world.layers[0].digest
    path = f"/v2/{name}/blobs/uploads/?mount={digest}&from={source}"
    answers = rivals(world, lambda a, _: a.send("POST", path, expected=ANY))
    assert statuses(answers) == {201}


def same_manifest(world: World, name: str) -> None:
    """Push the same manifest under the same tag."""
    image = Image.of("the same", [world.layers[0]])
    config = image.blobs[0]
    with world.asker() as asker:
        path = f"/v2/{name}/blobs/uploads/?digest={config.digest}"
        asker.send("POST", path, config.content, expected=(201,))
    answers = rivals(world, lambda a, _: put(a, name, "same", image.manifest))
    assert statuses(answers) == {201}


def same_tag(world: World, name: str) -> None:
    """Push different manifests under the same tag: one of them gets it."""

    def manifest(number: int) -> bytes:
        return EMPTY_INDEX + b" " * number

    answers = rivals(world, lambda a, n: put(a, name, "same", manifest(n)))
    assert statuses(answers) == {201}
    with world.asker() as asker:
        found = asker.get(f"/v2/{name}/manifests/same")
    assert found is not None
    assert found.body in map(manifest, range(RIVALS))


def same_new_repository(world: World, name: str) -> None:
    """Push the first manifests of a repository."""
    answers = rivals(world, lambda a, n: put(a, name, f"t{n}", EMPTY_INDEX))
    assert statuses(answers) == {201}
    with world.asker() as asker:
        tags = asker.get(f"/v2/{name}/tags/list")
    assert tags is not None
    assert set(json.loads(tags.body)["tags"]) == {f"t{n}" for n in range(RIVALS)}


def same_session(world: World, name: str) -> None:
    """Send the same chunk to one upload, and finish it: only one rival writes."""
    blob = Blob.of(b"everybody's" * 100_000)
    with world.asker() as asker:
        started = asker.send("POST", f"/v2/{name}/blobs/uploads/", expected=(202,))
    location = started.headers["location"]
    span = {"Content-Range": f"0-{len(blob.content) - 1}"}
    answers = rivals(
        world, lambda a, _: a.send("PATCH", location, blob.content, span, expected=ANY)
    )
    assert sorted(answer.status for answer in answers) == [202] + [416] * (RIVALS - 1)
    path = f"{location}?digest={blob.digest}"
    answers = rivals(world, lambda a, _: a.send("PUT", path, expected=ANY))
    assert 201 in statuses(answers)
    assert statuses(answers) <= {201, 404, 416}
    with world.asker() as asker:
        found = asker.get(f"/v2/{name}/blobs/{blob.digest}")
    assert found is not None
    assert found.body == blob.content


def same_deletion(world: World, name: str) -> None:
    """Delete the same tag: only one rival finds it."""
    path = f"/v2/{name}/manifests/same"
    answers = rivals(world, lambda a, _: a.send("DELETE", path, expected=ANY))
    assert sorted(answer.status for answer in answers) == [202] + [404] * (RIVALS - 1)


def put(asker: Asker, name: str, reference: str, manifest: bytes) -> Answer:
    """Push a manifest, and return the answer, whatever it is."""
    media_type = json.loads(manifest)["mediaType"]
    return asker.send(
        "PUT",
        f"/v2/{name}/manifests/{reference}",
        manifest,
        {"Content-Type": media_type},
        expected=ANY,
    )
