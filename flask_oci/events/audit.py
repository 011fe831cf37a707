"""Who did what, when, and from where.

Each event is a line of JSON on the logger ``flask_oci.audit`` and a signal,
:data:`flask_oci.signals.audited`. Neither ever has a secret in it. A receiver that
fails is logged, and changes nothing.
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
    """Something that somebody may have to answer for."""

    action: str
    """What was done: ``login``, ``login-failed``, ``push``, ``delete``,
    ``tag-restored``, ``described``, ``token-issued``, ``token-revoked``,
    ``permission-changed`` or ``rule-changed``."""

    actor: str | None
    """The name of the user who did it; None is nobody known, or the command
    line."""

    at: datetime
    """When, in UTC."""

    address: str | None
    """The address the request came from, if there was one."""

    repository: str | None
    """The repository it was done to, if it was one."""

    detail: dict[str, str]
    """What else there is to know."""


@contextmanager
def acting(actor: str | None) -> Iterator[None]:
    """Have what happens meanwhile be told of as somebody's doing.

    :param actor: the name of a user; None leaves it to who makes the request.
    """
    state = request_state()
    before = state.actor, state.has_actor
    if actor is not None:
        state.set_actor(actor)
    try:
        yield
    finally:
        state.actor, state.has_actor = before


def record(
    action: str, actor: str | None, repository: str | None = None, **detail: str
) -> None:
    """Tell the host of an event that has just taken effect.

    :param action: see :class:`AuditEvent`.
    :param actor: the name of the user.
    :param repository: the name of the repository.
    :param detail: texts, and no secrets.
    """
    event = AuditEvent(
        action=action,
        actor=actor,
        at=datetime.now(timezone.utc),
        address=request.remote_addr if has_request_context() else None,
        repository=repository,
        detail=detail,
    )
    logger.info("%s", json.dumps(asdict(event), default=datetime.isoformat))
    notify_receivers(audited, logger, event=event)
