"""Access matrix: every route, every kind of client and every kind of repository."""

from __future__ import annotations

import typing as t

import pytest

from tests.support import access_world
from tests.support.access_matrix import Route
from tests.support.access_matrix import routes
from tests.support.access_matrix import RULES
from tests.support.access_matrix import violations
from tests.support.access_world import POLICY_PARAMETERS
from tests.support.access_world import World


@pytest.fixture(
    name="world",
    scope="module",
    params=[
        pytest.param(False, id="asked", marks=pytest.mark.sqlite_only),
        pytest.param("statements", id="cached", marks=pytest.mark.slow),
    ],
)
def _world(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    database_url: str,
) -> t.Iterator[World]:
    """The application asks its policy at each request, or caches permissions."""
    world = access_world.build(
        tmp_path_factory.mktemp("world"),
        SQLALCHEMY_DATABASE_URI=database_url,
        OCI_CACHE_POLICY=request.param,
    )
    yield world
    world.close()


def test_every_route_is_in_the_matrix(world: World) -> None:
    """A new route needs an entry with the clients that may use it."""
    assert routes(world.app) == set(RULES)


@pytest.mark.parametrize("route", RULES, ids=" ".join)
@pytest.mark.parametrize("policy", POLICY_PARAMETERS)
def test_every_route_answers_each_client_as_the_matrix_says(
    world: World, policy: str, route: Route
) -> None:
    """Clients with permission succeed. Others get a refusal, or the answer for a
    missing repository."""
    assert violations(world, policy, route) == []
