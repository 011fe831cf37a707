"""Quotas of new owners: simultaneous transfers and pushes obey them together."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask

from tests.support.credentials import user_named
from tests.support.host import registry
from tests.support.host import set_policy
from tests.support.interleaving import interleaved
from tests.support.quotas import post
from tests.support.registry_client import RegistryClient
from tests.support.rest_client import RestClient
from tests.support.visitor import Visitor

#: Two repositories of alice, of which the quota of bob has room for one.
NAMES = ("alice/first", "alice/second")
#: The size of the blob of each of them, and the quota of bob.
SIZE, QUOTA = 10_000, 15_000

#: The ways in which alice gives a repository to bob.
WAYS: dict[str, t.Callable[[Flask, str], object]] = {
    "rest-owner": lambda app, name: rest(app, name, owner="bob"),
    "rest-name": lambda app, name: rest(app, name, name=below_bob(name)),
    "page-owner": lambda app, name: Visitor(app, "alice").send(
        f"/images/{name}/-/settings/owner", owner="bob", confirmed="yes"
    ),
    "page-name": lambda app, name: Visitor(app, "alice").send(
        f"/images/{name}/-/settings/name", name=below_bob(name), confirmed="yes"
    ),
}


def rest(app: Flask, repository: str, **changes: str) -> None:
    """Change a repository of alice by REST, if the quota allows it."""
    path = f"/repositories/{repository}"
    answer = RestClient.of(app, "alice").send("PATCH", path, changes)
    assert answer.status_code in (200, 422)


def below_bob(name: str) -> str:
    """Return the name of a repository in the namespace of bob."""
    return name.replace("alice", "bob")


@pytest.fixture(
    name="quota",
    params=["stored", pytest.param("site", marks=pytest.mark.sqlite_only)],
)
def _quota(request: pytest.FixtureRequest, app: Flask) -> None:
    """A quota of bob, which is set for him or for all owners. Alice has no limit, and
    may push to the namespace of bob."""
    set_policy(
        lambda user, action, repository: (
            registry.default_policy(user, action, repository)
            or (user is not None and user.username == "alice" and action == "push")
        )
    )
    with app.app_context():
        registry.quotas.set(owner=user_named("alice"))
        if request.param == "stored":
            registry.quotas.set(owner=user_named("bob"), bytes=QUOTA)


def usage(app: Flask) -> int:
    """Return the number of bytes of bob."""
    with app.app_context():
        return registry.quotas.show(owner=user_named("bob")).bytes


def start_over(app: Flask, alice: RegistryClient) -> None:
    """Give alice the two repositories again, and leave nothing to bob."""
    with app.app_context():
        for name in (*NAMES, *map(below_bob, NAMES)):
            if registry._catalog.repositories.find(name).exists:
                registry.repositories.delete(name)
    for number, name in enumerate(NAMES):
        assert post(alice, bytes([number]) * SIZE, name).status_code == 201


def interleave(
    app: Flask,
    alice: RegistryClient,
    operation: t.Callable[[], object],
    rival: t.Callable[[], object],
) -> None:
    """Let a rival act at each step of an operation. One of the two succeeds."""
    step = 0
    while True:
        start_over(app, alice)
        with interleaved(app, rival, step) as steps:
            operation()
        if step >= steps.count:
            break
        assert SIZE <= usage(app) <= QUOTA
        step += 1
    assert step > 5


@pytest.mark.slow
@pytest.mark.options(oci_owner_quota=QUOTA)
@pytest.mark.parametrize("way", WAYS)
def test_simultaneous_transfers_do_not_exceed_quota_of_new_owner(
    app: Flask, alice: RegistryClient, quota: None, way: str
) -> None:
    """Another transfer to bob begins at any step of the first one."""
    first, second = NAMES
    interleave(
        app,
        alice,
        lambda: WAYS[way](app, first),
        lambda: WAYS["rest-owner"](app, second),
    )


@pytest.mark.options(oci_owner_quota=QUOTA)
def test_push_during_transfer_does_not_exceed_quota_of_new_owner(
    app: Flask, alice: RegistryClient, quota: None
) -> None:
    """Bob pushes at any step of a transfer to him."""

    def push() -> None:
        pushed = post(RegistryClient.of(app, "bob"), b"x" * SIZE, below_bob(NAMES[1]))
        assert pushed.status_code in (201, 403)

    interleave(app, alice, lambda: WAYS["rest-owner"](app, NAMES[0]), push)


@pytest.mark.parametrize("way", WAYS)
def test_transfer_without_quota_is_unlimited(
    app: Flask, alice: RegistryClient, way: str
) -> None:
    """Bob has no quota, so both repositories become his."""
    set_policy(lambda user, action, repository: user is not None)
    start_over(app, alice)
    for name in NAMES:
        WAYS[way](app, name)
    assert usage(app) == 2 * SIZE
