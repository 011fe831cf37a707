"""Audit log: the user, the action, the time and the address of each change.

Each event is a line of JSON on the logger ``flask_oci.audit`` and a signal,
:data:`flask_oci.signals.audited`. Neither contains a secret. A receiver that fails is
logged and has no other effect.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from dataclasses import dataclass
from datetime import datetime
from datetime import timezone

from flask import has_request_context
from flask import request

from ..signals import audited
from ..signals import notify_receivers
from .request_state import request_state

logger = logging.getLogger("flask_oci.audit")


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """An action that the audit log records."""

    action: str
    """The action: ``login``, ``login-failed``, ``push``, ``delete``,
    ``tag-restored``, ``described``, ``token-issued``, ``token-revoked``,
    ``robot-created``, ``robot-changed``, ``robot-disabled``, ``robot-enabled``,
    ``robot-deleted``, ``robot-secret-issued``, ``robot-secret-revoked``,
    ``permission-changed``, ``rule-changed``, ``digest-blocked``, ``digest-unblocked``,
    ``publisher-added``, ``publisher-removed``, ``webhook-added``,
    ``webhook-changed``, ``webhook-disabled`` or ``webhook-removed``."""

    actor: str | None
    """The name of the user, or None for an anonymous client and the command line. A
    robot has its login name."""

    at: datetime
    """The time, in UTC."""

    address: str | None
    """The IP address of the client, or None without a request."""

    repository: str | None
    """The name of the repository, or None if the action has none."""

    detail: dict[str, str]
    """Further values, such as the id of a token or the digest."""

    is_robot: bool = False
    """Whether the actor is a robot, whose name is its login name."""


@contextmanager
def acting(actor: str | None) -> Iterator[None]:
    """Record the actions in this context as those of a user.

    :param actor: the name of the user; None keeps the user of the request.
    """
    state = request_state()
    before = state.actor, state.has_actor, state.is_robot
    if actor is not None:
        state.set_actor(actor)
    try:
        yield
    finally:
        state.actor, state.has_actor, state.is_robot = before


def record(
    action: str, actor: str | None, repository: str | None = None, **detail: str
) -> None:
    """Record an event that has taken effect.

    :param action: one of those of :class:`AuditEvent`.
    :param actor: the name of the user.
    :param repository: the name of the repository.
    :param detail: further values as text, without secrets.
    """
    workflow = request_state().workflow
    event = AuditEvent(
        action=action,
        actor=actor,
        at=datetime.now(timezone.utc),
        address=request.remote_addr if has_request_context() else None,
        repository=repository,
        detail=detail if workflow is None else {**detail, "workflow": workflow},
        is_robot=_is_robot(actor),
    )
    logger.info("%s", json.dumps(asdict(event), default=datetime.isoformat))
    notify_receivers(audited, logger, event=event)


def _is_robot(actor: str | None) -> bool:
    state = request_state()
    return actor is not None and state.is_robot and actor == state.actor
