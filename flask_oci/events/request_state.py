"""State of the current request or command, kept on ``flask.g``."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field

from flask import g
from flask import has_request_context
from flask import request


@dataclass
class RequestState:
    """Values that the registry keeps while it handles one request or command."""

    principal: object = None
    """The principal, once the request is authenticated. Use
    :func:`flask_oci.services.principal`, which returns it with its type."""

    has_actor: bool = False
    """True if :attr:`actor` is set, even if it is set to None."""

    actor: str | None = None
    """The name of the user who makes the request, or None for an anonymous client."""

    is_robot: bool = False
    """Whether the actor is a robot."""

    workflow: str | None = None
    """The job that a robot is logged in for, or None."""

    audience: tuple[str | None, str | None] | None = None
    """The caller, whose reads are cached apart: the name of the user and None, the
    login name of the robot and ``robot``, or None and the address of an anonymous
    client."""

    request: object | None = None
    """The request of the interfaces for programs that began last. Several requests of a
    test client may share the state."""

    is_host_response: bool = False
    """True if the response is that of the application's ``unauthorized_handler``."""

    warnings: list[str] = field(default_factory=list)
    """The texts of the response's ``Warning`` headers."""

    started: float | None = None
    """The value of :func:`time.perf_counter` when the request began, in seconds, or
    None if no request is being measured."""

    received: int = 0
    """The number of bytes that were received as the request's body."""

    def set_actor(self, name: str | None) -> None:
        """Set the user who makes the request.

        :param name: the name of the user, or None for an anonymous client.
        """
        self.actor, self.has_actor, self.is_robot = name, True, False


def request_state() -> RequestState:
    """Return the state of the current request, which is created at the first call."""
    state: RequestState | None = g.get("_oci_state")
    if state is None:
        state = g._oci_state = RequestState()
    return state


def begin_request() -> None:
    """Record that the current request is one of the interfaces for programs."""
    state = request_state()
    state.request, state.audience = _flask_request(), None


def current_request() -> object | None:
    """Return the current request if it is one of the interfaces for programs.

    The result is None in a command, on a page, in a view of the host, and after the
    request.
    """
    if not has_request_context():
        return None
    own = request_state().request
    return own if own is _flask_request() else None


def had_request() -> bool:
    """Return True if the application context that ends had a request of the interfaces
    for programs."""
    state: RequestState | None = g.get("_oci_state")
    return state is not None and state.request is not None


def is_writing() -> bool:
    """Return True if the current request changes the registry."""
    return request.method not in ("GET", "HEAD", "OPTIONS")


def _flask_request() -> object:
    proxy: t.Any = request
    return proxy._get_current_object()
