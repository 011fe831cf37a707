"""Limits of upload sessions, and the end of sessions that their users lost.

A session belongs to the user who started it. It must not take space from others for
longer than the user may push.
"""

from __future__ import annotations

import typing as t

from ..errors import Denied
from ..errors import TooManyRequests
from ..robot_key import RobotKey
from ..services import services

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence

    from ..catalog import RepositoryInfo
    from ..catalog import UploadSession
    from ..catalog.quotas import OpenSession
    from ..core.actor import Actor

#: The maximum number of unfinished sessions of a user in one repository.
MAX_PER_REPOSITORY: t.Final = 100

#: The maximum number of unfinished sessions of a user in all repositories.
MAX_PER_USER: t.Final = 500


def start_session(
    repository: RepositoryInfo, by: Actor, algorithm: str
) -> UploadSession:
    """Start an upload session of a user.

    Above the maximum, the oldest sessions without bytes give way.

    :param algorithm: the digest algorithm with which incoming bytes are hashed.
    :raises TooManyRequests: if there are too many sessions, and all have bytes.
    """
    uploads = services().catalog.uploads
    limits = {"here": MAX_PER_REPOSITORY, "everywhere": MAX_PER_USER}
    session = uploads.start_below(repository, by, algorithm, **limits)
    if session is None:
        _make_room(repository, by.key)
        session = uploads.start(repository, by, algorithm)
    return session


def _make_room(repository: RepositoryInfo, user_id: t.Any) -> None:
    """End sessions without bytes, if the user has too many sessions for another one."""
    own = services().catalog.uploads.started_by(user_id)
    here = [uuid for uuid, repository_id in own if repository_id == repository.id]
    _limit(here, MAX_PER_REPOSITORY, f" in {repository.name}")
    if user_id is not None:
        _limit([uuid for uuid, _ in own], MAX_PER_USER, "")


def end_lost_sessions(sessions: Iterable[OpenSession], own_id: t.Any) -> set[str]:
    """End the sessions of users who may no longer push to the repository.

    :param own_id: the key of the caller, who may push.
    :return: the ended sessions.
    """
    answers: dict[tuple[t.Any, int], bool] = {}
    lost = []
    for session in sessions:
        if _is_same(session.user_id, own_id):
            continue
        key = (session.user_id, session.repository.key)
        if key not in answers:
            answers[key] = _may_push(session)
        if not answers[key]:
            lost.append(session.uuid)
    end(lost)
    return set(lost)


def end_empty_sessions(sessions: Sequence[OpenSession]) -> set[str]:
    """End the sessions without bytes, except the latest ones.

    :param sessions: the latest session first.
    :return: the ended sessions.
    """
    empty = [s.uuid for s in sessions[MAX_PER_REPOSITORY:] if _is_empty(s.uuid)]
    end(empty)
    return set(empty)


def end(uuids: list[str]) -> None:
    """End sessions, and delete their bytes."""
    if not uuids:
        return
    services().catalog.uploads.cancel(*uuids)
    for uuid in uuids:
        services().storage.discard_upload(uuid)


def _limit(own: list[str], most: int, where: str) -> None:
    excess = len(own) - most + 1
    if excess <= 0:
        return
    empty: list[str] = []
    for uuid in own:
        if len(empty) == excess:
            break
        if _is_empty(uuid):
            empty.append(uuid)
    if len(empty) < excess:
        raise TooManyRequests(
            f"You have {len(own)} unfinished uploads{where}; finish or cancel one."
        )
    end(empty)


def _is_empty(uuid: str) -> bool:
    progress = services().storage.upload_progress(uuid)
    return progress is None or progress.length == 0


def _is_same(one: t.Any, other: t.Any) -> bool:
    """Return True if two keys are those of the same user or robot."""
    if isinstance(one, RobotKey) and isinstance(other, RobotKey):
        return one.id == other.id
    return bool(one == other)


def _may_push(session: OpenSession) -> bool:
    parts = services()
    user = None
    if isinstance(session.user_id, RobotKey):
        user = parts.catalog.robots.by_id(session.user_id.id)
        if user is None:
            return False
    elif session.user_id is not None:
        user = parts.catalog.users.find(str(session.user_id))
        if user is None:
            return False
    try:
        return parts.policy.is_allowed(user, "push", session.repository)
    except Denied:
        return False
