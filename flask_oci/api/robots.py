"""Robots of the paths and repositories that the caller manages."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import msgspec

from ..clock import utcnow
from ..errors import Denied
from ..errors import NameUnknown
from ..errors import Unsupported
from ..rules.paths import path_text
from ..services import principal
from ..services import services
from ..spec.reference import check_name
from . import paging
from .access import authorize
from .access import is_admin
from .access import require_admin
from .access import signed_in_user
from .bodies import CreatedRobot
from .bodies import IssuedToken
from .bodies import NewRobot
from .bodies import NewSecret
from .bodies import Robot
from .bodies import RobotChange
from .bodies import RobotList
from .bodies import Robots
from .bodies import RobotSecret
from .tokens import is_token_id

if t.TYPE_CHECKING:
    from datetime import datetime

    from ..catalog import Robot as StoredRobot


def robots(query: RobotList) -> Robots:
    """List the robots of a path or of a repository that the caller manages, or all, for
    administrators.

    :raises Denied: if the caller does not manage the path or the repository, or sent a
        token that cannot manage all of their repositories.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    size, after = paging.size(query), paging.position(query.next)
    stored = services().catalog.robots
    if query.repository:
        signed_in_user("manage")
        found = stored.of_repository(authorize(query.repository, "manage").key)
    elif query.path:
        found = stored.of_path(_managed_path(query.path))
    else:
        require_admin()
        found = stored.page(size + 1, "" if after is None else after[0])
    if after is not None:
        found = [robot for robot in found if robot.login > after[0]]
    page, position = paging.paginate(
        found[: size + 1], size, lambda robot: (robot.login, robot.created_at)
    )
    return Robots(items=[_body(robot) for robot in page], next=position)


def create_robot(body: NewRobot) -> CreatedRobot:
    """Create a robot of a path or of a repository that the caller manages. Only this
    response contains its secret.

    If the caller sends an access token, the robot has at most its actions, and expires
    with it at the latest.

    :raises Denied: if the caller does not manage the path or the repository, or sent a
        token that cannot manage all of their repositories, that allows fewer actions
        than the robot, or that was itself issued with a token.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    :raises Unsupported: 422, if a value is invalid, or the name is in use.
    """
    if bool(body.path) == bool(body.repository):
        raise Unsupported("Give either 'path' or 'repository'.", status=422)
    by = signed_in_user("manage")
    check_token(body.actions)
    repository = None
    if body.repository:
        repository = authorize(body.repository, "manage")
    try:
        created = services().robots.create(
            body.name,
            path=_managed_path(body.path) if body.path else None,
            repository=repository,
            description=body.description,
            repositories=body.repositories,
            actions=body.actions,
            expires=expiry(body.days),
            changes_protected_tags=body.changes_protected_tags,
            with_secret=body.secret,
            by=by,
        )
    except ValueError as error:
        raise Unsupported(str(error), status=422) from None
    secret = None if created.secret is None else created.secret.secret
    return CreatedRobot(robot=_body(created.robot), secret=secret)


def robot(robot_id: str) -> Robot:
    """Show a robot that the caller manages.

    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    :raises NameUnknown: if there is no such robot, or the caller does not manage it.
    """
    return _body(_managed(robot_id))


def change_robot(robot_id: str, body: RobotChange) -> Robot:
    """Change a robot, or disable or enable it. Each change counts at the next request.

    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories, or that allows fewer actions than the robot.
    :raises NameUnknown: if there is no such robot, or the caller does not manage it.
    :raises Unsupported: 422, if a value is invalid.
    """
    found, by, manager = _managed(robot_id), signed_in_user("manage"), services().robots
    values = {
        name: value
        for name, value in msgspec.structs.asdict(body).items()
        if value is not msgspec.UNSET
    }
    check_token(values.get("actions", found.actions))
    enabled = values.pop("enabled", None)
    if "days" in values:
        values["expires"] = expiry(values.pop("days"))
    if enabled:
        # Only then may a new owner change it.
        manager.enable(found, by=by)
    try:
        manager.change(found, by=by, **values)
    except ValueError as error:
        raise Unsupported(str(error), status=422) from None
    if enabled is False:
        manager.disable(found, by=by)
    return _body(_managed(robot_id))


def delete_robot(robot_id: str) -> None:
    """Delete a robot and its secrets. Its images stay.

    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    :raises NameUnknown: if there is no such robot, or the caller does not manage it.
    """
    services().robots.delete(_managed(robot_id), by=signed_in_user("manage"))


def rotate_robot(robot_id: str, body: NewSecret) -> IssuedToken:
    """Issue a new secret of a robot. At most two secrets are valid at once.

    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories, or that allows fewer actions than the robot.
    :raises NameUnknown: if there is no such robot, or the caller does not manage it.
    :raises Unsupported: 422, if the robot has a new owner and has to be enabled first.
    """
    found = _managed(robot_id)
    check_token(found.actions)
    try:
        issued = services().robots.rotate(
            found,
            overlap=timedelta(hours=body.overlap_hours),
            expires=expiry(body.days),
            by=signed_in_user("manage"),
        )
    except ValueError as error:
        raise Unsupported(str(error), status=422) from None
    return IssuedToken(id=issued.id, secret=issued.secret, expires_at=issued.expires_at)


def revoke_robot_secret(robot_id: str, secret_id: str) -> None:
    """Revoke a secret of a robot, and all tokens that were issued for it.

    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    :raises NameUnknown: if there is no such robot or secret, or the caller does not
        manage the robot.
    """
    found, by = _managed(robot_id), signed_in_user("manage")
    if not is_token_id(secret_id) or not services().robots.revoke_secret(
        found, secret_id, by=by
    ):
        raise NameUnknown("The robot has no such secret.", detail=secret_id)


def check_token(actions: t.Iterable[t.Any]) -> None:
    """Check that the caller's access token may issue a secret for actions.

    :raises Denied: if it may not.
    """
    caller = principal()
    if caller.credential is not None and caller.credential.parent_id is not None:
        raise Denied("A token that was issued with a token cannot change robots.")
    if not all(caller.credential_allows(action, "") for action in actions):
        raise Denied("A token cannot create a robot with more actions than its own.")


def expiry(days: int | None) -> datetime | None:
    """Return when a secret expires: at the latest, with the caller's access token."""
    credential = principal().credential
    limit = None if credential is None else credential.expires_at
    wanted = None if days is None else utcnow() + timedelta(days=days)
    return min((each for each in (wanted, limit) if each is not None), default=None)


def _managed(robot_id: str) -> StoredRobot:
    """Return a robot that the caller manages.

    :raises NameUnknown: if there is none, or the caller does not manage it.
    """
    user = signed_in_user("manage")
    stored = services().catalog.robots
    found = stored.by_id(robot_id) if is_token_id(robot_id) else None
    if found is None or not (
        services().policy.manages_robot(user, found) or is_admin()
    ):
        raise NameUnknown("You manage no such robot.", detail=robot_id)
    return found


def _managed_path(path: str) -> str:
    name = check_name(path.removesuffix("/*"))
    user = signed_in_user("manage")
    if not services().policy.manages_robots(user, name) and not is_admin():
        raise Denied(f"Only users who manage {path_text(name)} may do this.")
    return name


def _body(stored: StoredRobot) -> Robot:
    manager = services().robots
    return Robot(
        id=stored.id,
        login=stored.login,
        path=None if stored.path is None else path_text(stored.path),
        description=stored.description,
        actions=t.cast(t.Any, list(stored.actions)),
        repositories=list(stored.repositories),
        changes_protected_tags=stored.changes_protected_tags,
        enabled=stored.disabled_at is None,
        obstacle=manager.obstacle(stored),
        created_by=stored.created_by,
        created_at=stored.created_at,
        expires_at=stored.expires_at,
        last_used_at=stored.last_used_at,
        secrets=[
            RobotSecret(
                id=each.id,
                created_at=each.created_at,
                expires_at=each.expires_at,
                last_used_at=each.last_used_at,
            )
            for each in manager.secrets_of(stored)
        ],
    )
