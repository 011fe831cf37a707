"""Every route, asked by everybody about everything."""

from __future__ import annotations

import typing as t

import pytest

from tests.support import access_world
from tests.support.access_matrix import Route
from tests.support.access_matrix import routes
from tests.support.access_matrix import RULES
from tests.support.access_matrix import violations
from tests.support.access_world import POLICIES
from tests.support.access_world import World


@pytest.fixture(name="world", scope="module")
def _world(
    tmp_path_factory: pytest.TempPathFactory, _empty_database: None
) -> t.Iterator[World]:
    world = access_world.build(tmp_path_factory.mktemp("world"))
    yield world
    world.close()


def test_every_route_has_a_rule(world: World) -> None:
    """A new route is not tested until somebody has said who may use it."""
    assert routes(world.app) == set(RULES)


@pytest.mark.parametrize("route", RULES, ids=" ".join)
@pytest.mark.parametrize("policy", POLICIES)
def test_the_right_answer_to_everybody(world: World, policy: str, route: Route) -> None:
    """Whoever may, can; whoever may not is told so, or nothing at all."""
    assert violations(world, policy, route) == []
