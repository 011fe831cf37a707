"""Robots of the paths and repositories that the visitor manages."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from flask import abort
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue

from ..auth.limits import USUAL_ACTIONS
from ..auth.robot_secrets import MAX_SECRETS
from ..catalog import RepositoryInfo
from ..catalog.robots import ROBOT_ACTIONS
from ..services import services
from ..spec.reference import is_name
from . import forms
from . import paging
from .access import authorize
from .access import is_admin
from .access import signed_in_user
from .access import visitor
from .rendering import render
from .tokens import DAYS
from .translation import gettext

if t.TYPE_CHECKING:
    from ..catalog import Robot

#: The choices for the time in which the old secret stays valid, in hours.
OVERLAPS: t.Final = ("0", "24", "168")


class Place(t.NamedTuple):
    """The path or the repository whose robots a page shows."""

    path: str
    """The path, or empty for a repository."""

    repository: RepositoryInfo | None

    @property
    def name(self) -> str:
        """The beginning of the login names of its robots."""
        return self.repository.name if self.repository else self.path


def robots() -> ResponseReturnValue:
    """Show the robots of the visitor's namespace, of another path or of a repository;
    to administrators, all robots."""
    user = signed_in_user()
    repository = paging.parameter("repository")
    if repository:
        return _page(Place("", authorize(repository, "manage")))
    path = paging.parameter("path").removesuffix("/*")
    if path:
        if is_name(path) and _manages(path):
            return _page(Place(path, None))
        message = gettext("You do not manage the robots of “%(name)s”.", name=path)
        return _page(None, error=message, status=404)
    if paging.parameter("show") == "all" and is_admin():
        return _page(None)
    own = services().catalog.users.namespace_of(user)
    if is_name(own) and services().policy.manages_robots(user, own):
        return _page(Place(own, None))
    return _page(None)


def create_robot() -> ResponseReturnValue:
    """Create a robot, and show its secret once."""
    place, days = _sent_place(), forms.field("days")
    repositories = forms.field("repositories").split()
    try:
        if days and days not in DAYS:
            raise ValueError(days)
        created = services().robots.create(
            forms.field("name"),
            path=place.path or None,
            repository=place.repository,
            description=forms.field("description"),
            repositories=repositories or None,
            actions=request.form.getlist("actions"),
            expires=timedelta(days=int(days)) if days else None,
            changes_protected_tags=forms.field("protected") == "yes",
            by=visitor(),
        )
    except ValueError:
        message = gettext(
            "Enter a new name of lower-case letters, digits, dots and dashes, choose an"
            " action, and begin each pattern with %(name)s/.",
            name=place.name,
        )
        return _page(place, error=message, status=422)
    return _robot_page(created.robot, created.secret)


def robot(robot_id: str) -> ResponseReturnValue:
    """Show a robot and its secrets, to users who manage it and to administrators."""
    return _robot_page(_managed(robot_id))


def rotate_robot(robot_id: str) -> ResponseReturnValue:
    """Issue a new secret, and show it once."""
    found, overlap = _managed(robot_id), forms.field("overlap")
    if overlap not in OVERLAPS:
        abort(400)
    try:
        issued = services().robots.rotate(
            found, overlap=timedelta(hours=int(overlap)), by=visitor()
        )
    except ValueError:
        # The page says that the robot is suspended, and can enable it.
        return _robot_page(found, status=422)
    return _robot_page(found, issued)


def revoke_robot_secret(robot_id: str) -> ResponseReturnValue:
    """Revoke a secret of a robot."""
    found = _managed(robot_id)
    services().robots.revoke_secret(found, forms.field("secret"), by=visitor())
    return forms.done(gettext("The secret was revoked."), "robot", robot_id=found.id)


def enable_robot(robot_id: str) -> ResponseReturnValue:
    """Enable, take over or disable a robot."""
    found, manager = _managed(robot_id), services().robots
    if forms.field("enabled") != "yes":
        manager.disable(found, by=visitor())
        text = gettext("The robot was disabled.")
    elif manager.enable(found, by=visitor()):
        text = gettext("The robot was enabled. Its former secrets were deleted.")
    else:
        text = gettext("The robot was enabled.")
    return forms.done(text, "robot", robot_id=found.id)


def delete_robot(robot_id: str) -> ResponseReturnValue:
    """Delete a robot, after a confirmation."""
    found = _managed(robot_id)
    if not forms.confirmed():
        return forms.ask(
            gettext("Delete the robot %(login)s?", login=found.login),
            [
                gettext("Machines that use it are refused from the next request on."),
                gettext("Its images and its history stay."),
            ],
            gettext("Delete the robot"),
            url_for(".robot", robot_id=found.id),
        )
    services().robots.delete(found, by=visitor())
    return forms.done(gettext("The robot was deleted."), "robots", **_list_of(found))


def _page(
    place: Place | None, error: str = "", status: int = 200
) -> ResponseReturnValue:
    """Render a list of robots.

    :param place: whose robots to show; None shows all, to administrators.
    :param error: the reason why the last form was refused.
    """
    stored, after = services().catalog.robots, paging.behind()
    begin = "" if after is None else after[0]
    if place is None:
        found = stored.page(paging.PAGE + 1, begin) if is_admin() else []
    elif place.repository is not None:
        found = stored.of_repository(place.repository.key)
    else:
        found = stored.of_path(place.path)
    shown = [robot for robot in found if robot.login > begin][: paging.PAGE]
    more = bool(shown) and found[-1].login > shown[-1].login
    page = render(
        "oci/robots.html",
        place=place,
        repository=place.repository if place else None,
        robots=[(robot, services().robots.obstacle(robot)) for robot in shown],
        next_page=paging.next_page(shown[-1].login, shown[-1].created_at)
        if more
        else None,
        error=error,
        actions=ROBOT_ACTIONS,
        usual_actions=USUAL_ACTIONS,
        days=DAYS,
    )
    return page, status


def _robot_page(
    robot: Robot, issued: t.Any = None, status: int = 200
) -> ResponseReturnValue:
    secrets = services().robots.secrets_of(robot)
    page = render(
        "oci/robot.html",
        robot=robot,
        obstacle=services().robots.obstacle(robot),
        secrets=secrets,
        max_secrets=MAX_SECRETS,
        issued=issued,
        overlaps=OVERLAPS,
        list_values=_list_of(robot),
    )
    # The page may contain a secret, so no cache may store it.
    return page, status, {"Cache-Control": "no-store"}


def _list_of(robot: Robot) -> dict[str, str]:
    """Return the parameters of the list that has a robot."""
    if robot.path is not None:
        return {"path": robot.path}
    found = services().catalog.repositories.by_id(robot.repository_id or 0)
    return {} if found is None else {"repository": found.name}


def _sent_place() -> Place:
    """Return the path or the repository of a form, if the visitor manages it."""
    signed_in_user()
    repository = forms.field("repository")
    if repository:
        return Place("", authorize(repository, "manage"))
    path = forms.field("under")
    if not is_name(path) or not _manages(path):
        abort(404)
    return Place(path, None)


def _manages(path: str) -> bool:
    return services().policy.manages_robots(visitor(), path) or is_admin()


def _managed(robot_id: str) -> Robot:
    """Return a robot that the visitor manages; else the response is 404."""
    user = signed_in_user()
    is_id = robot_id.isascii() and robot_id.isalnum()
    found = services().catalog.robots.by_id(robot_id) if is_id else None
    if found is None or not (
        services().policy.manages_robot(user, found) or is_admin()
    ):
        abort(404)
    return found
