"""A process that is stopped at any step of a request, for longer than all leases and
grace periods, destroys nothing when it continues."""

from __future__ import annotations

import typing as t
from functools import partial
from itertools import count

import pytest
from werkzeug.test import TestResponse

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import image
from flask_oci.testing.requests import with_query
from tests.conftest import MakeApp
from tests.support.registry_client import RegistryClient
from tests.support.two_nodes import BLOB
from tests.support.two_nodes import CONTENT
from tests.support.two_nodes import DIGEST
from tests.support.two_nodes import NAME
from tests.support.two_nodes import span
from tests.support.two_nodes import World
from tests.support.upkeep import Upkeep


def patch(world: World) -> TestResponse:
    """Send more bytes, up to the end."""
    return world.alice.patch(world.location, CONTENT[1500:], headers=span(1500))


def close(world: World) -> TestResponse:
    """Complete the session with its last bytes."""
    path = with_query(world.location, digest=DIGEST)
    return world.alice.put(path, CONTENT[1500:], headers=span(1500))


def close_whole(world: World) -> TestResponse:
    """Complete the session, which has all bytes."""
    return world.alice.put(with_query(world.location, digest=DIGEST))


def post(world: World) -> TestResponse:
    """Push the blob in one request."""
    path = with_query(f"/v2/{NAME}/blobs/uploads/", digest=DIGEST)
    return world.alice.post(path, CONTENT)


REQUESTS: t.Final = (patch, close, close_whole, post)

#: The actions of others while the request is stopped.
RIVALS: t.Final = (World.append, World.finish, World.cancel, World.collect)

#: The cases whose steps include those of the others.
SHORT: t.Final = (
    (close, World.append),
    (patch, World.finish),
    (close, World.collect),
    (close_whole, World.finish),
)

CASES: t.Final = [
    pytest.param(
        *(request, rival),
        id=f"{request.__name__}-{rival.__name__}",
        marks=() if (request, rival) in SHORT else pytest.mark.full,
    )
    for request in REQUESTS
    for rival in RIVALS
    if (request, rival) != (close_whole, World.append)
]


@pytest.mark.slow
@pytest.mark.parametrize(("send", "rival"), CASES)
def test_request_stopped_at_any_step_destroys_nothing(
    world: World,
    send: t.Callable[[World], TestResponse],
    rival: t.Callable[[World], int],
) -> None:
    """Bytes that another node acknowledged stay, and the answer is true."""
    for at in count():
        world.begin(len(CONTENT) if send is close_whole else 1500)
        with world.stopped(lambda: rival(world), at) as answers:
            response = send(world)
        if not answers:
            break
        where = at, answers, response.status_code, response.text
        if response.status_code >= 300:
            assert refusal(response)[0] in (404, 416), where
        if answers == [202]:
            assert world.has_blob() or world.position() == len(CONTENT), where
            assert world.has_blob() or world.finish() == 201, where
        # The collection may delete a blob that no manifest needs.
        if 201 in (*answers, response.status_code) and rival is not World.collect:
            assert world.has_blob(), where
        assert world.other.delete(BLOB).status_code in (202, 404)
        world.cancel()
    assert at > 5
    world.collect()
    found = {kind for kind, _ in Upkeep(world.app).kinds("--scrub")}
    # An object that no row names is deleted after a repair.
    assert found <= {"unrecorded"}
    assert not world.bucket.uploads


@pytest.mark.slow
def test_migration_stopped_at_any_step_keeps_blobs_readable(
    make_app: MakeApp, world: World
) -> None:
    """The collection ends the session of the copy and deletes its object. The blob then
    stays where it was, from the first moment on."""
    folder = RegistryClient.of(make_app(), "alice")
    folder.push_blob(NAME, CONTENT)
    folder.push_manifest(NAME, image(config=CONTENT), "1")
    results = set()
    for at in count():
        assert (
            Upkeep(world.app).run("storage", "migrate", "--to", "local").exit_code == 0
        )
        with world.stopped(world.collect, at, lambda: check(world)) as answers:
            result = Upkeep(world.app).run("storage", "migrate", "--to", "memory")
        results.add(result.exit_code)
        check(world)
        if not answers:
            break
    assert at > 5
    assert results == {0, 3}
    assert {kind for kind, _ in Upkeep(world.app).kinds("--scrub")} <= {"unrecorded"}


@pytest.mark.slow
def test_pull_stopped_at_any_step_finds_a_blob_that_was_moved(world: World) -> None:
    """A migration moves the blob, and the collection deletes its former object."""
    world.alice.push_blob(NAME, CONTENT)
    world.alice.push_manifest(NAME, image(config=CONTENT), "1")
    migrate = partial(Upkeep(world.other_app).run, "storage", "migrate", "--to")

    def move() -> int:
        assert migrate("local").exit_code == 0
        return world.collect()

    for at in count():
        assert migrate("memory").exit_code == 0
        with world.stopped(move, at) as answers:
            assert world.alice.get(BLOB).data == CONTENT
        if not answers:
            break
    assert at > 1


def check(world: World) -> None:
    """Check that clients can read the blob."""
    assert world.other.get(BLOB).data == CONTENT
