"""Robots of ``tests/support/host.py``, and clients that log in as one."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from flask_oci import Robot
from flask_oci.testing.requests import basic
from tests.support.host import registry
from tests.support.registry_client import RegistryClient


def make_robot(
    app: Flask, path: str | None = "alice", name: str = "release", **values: t.Any
) -> tuple[Robot, str]:
    """Create a robot as the host's code does, and return it with its secret."""
    with app.app_context():
        created = registry.robots.create(name, path=path, **values)
    assert created.secret is not None
    return created.robot, created.secret.secret


def as_robot(
    app: Flask, path: str | None = "alice", name: str = "release", **values: t.Any
) -> RegistryClient:
    """Return a client that sends the secret of a new robot with each request."""
    robot, secret = make_robot(app, path, name, **values)
    return RegistryClient(app, basic(robot.login, secret))


@contextmanager
def robots_decided_by(
    function: t.Callable[[Robot, str, t.Any], bool] | None,
) -> Iterator[None]:
    """Register a function for ``authorize_robot`` while the context lasts, or none."""
    before = registry._hooks.authorize_robot
    if function is None:
        # No host removes its function, so there is no public way to.
        registry._hooks.authorize_robot = None
    else:
        registry.authorize_robot(function)
    try:
        yield
    finally:
        registry._hooks.authorize_robot = before
