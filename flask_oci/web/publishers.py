"""The trusted publishers of the robots of a path or of a repository."""

from __future__ import annotations

import typing as t

from flask import abort
from flask import request
from flask.typing import ResponseReturnValue

from ..core.messages import marked
from ..services import services
from ..spec.reference import is_name
from . import forms
from . import paging
from .access import is_admin
from .access import may
from .access import signed_in_user
from .access import visitor
from .rendering import Page
from .rendering import render
from .translation import gettext

if t.TYPE_CHECKING:
    from ..catalog import Robot
    from ..catalog.publishers import Publisher

#: The labels of the fields of all kinds of issuers.
LABELS: t.Final = {
    "repository": marked("Repository of the workflow"),
    "repository_owner_id": marked("ID of the owner"),
    "repository_id": marked("ID of the repository"),
    "workflow": marked("Workflow file"),
    "ref": marked("Branch or tag"),
    "environment": marked("Environment"),
    "project_path": marked("Project"),
    "namespace_id": marked("ID of the group or user"),
    "project_id": marked("ID of the project"),
    "pipeline": marked("Pipeline file"),
    "protected": marked("Protected branches and tags only"),
    "organization_slug": marked("Organization"),
    "organization_id": marked("ID of the organization"),
    "pipeline_slug": marked("Pipeline"),
    "pipeline_id": marked("ID of the pipeline"),
    "step_key": marked("Step"),
    "email": marked("E-mail address of the service account"),
    "subject": marked("Subject or unique ID"),
    "namespace": marked("Namespace"),
    "service_account": marked("Service account"),
    "service_account_uid": marked("UID of the service account"),
    "claims": marked("Further claims"),
}


class RobotPublishers(t.NamedTuple):
    """A robot and its publishers."""

    robot: Robot
    publishers: t.Sequence[Publisher]


def publishers(name: str) -> Page:
    """Show the publishers of the robots of a path and of a repository, to users who
    manage them."""
    signed_in_user()
    return _page(name)


def add_publisher(name: str) -> ResponseReturnValue:
    """Add a publisher to a robot, which is created if it does not exist."""
    user, parts = signed_in_user(), services()
    robots = {each.name: each for each in _robots(name)}
    issuer, robot_name = forms.field("issuer"), forms.field("robot")
    prefix = "field-"
    fields = {
        key.removeprefix(prefix): forms.field(key)
        for key in request.form
        if key.startswith(prefix)
    }
    try:
        parts.publishers.checked(issuer, fields)
        robot = robots.get(robot_name) or _create(name, robot_name, user)
        parts.publishers.add(robot, issuer, fields, by=user)
    except ValueError as error:
        return _page(name, str(error)), 422
    text = gettext("The workflow can log in as %(robot)s.", robot=robot.login)
    return forms.done(text, "publishers", name=name)


def remove_publisher(name: str) -> ResponseReturnValue:
    """Remove a publisher, which ends the logins of its jobs."""
    user = signed_in_user()
    robots = {robot.id: robot for robot in _robots(name)}
    robot = robots.get(forms.field("robot"))
    if robot is None:
        abort(404)
    services().publishers.remove(robot, forms.field("publisher"), by=user)
    text = gettext("The publisher was removed.")
    return forms.done(text, "publishers", name=name)


def _page(name: str, error: str = "") -> Page:
    robots, parts = _robots(name), services()
    issuers = parts.publishers.issuers
    wanted = forms.field("issuer") or paging.parameter("issuer")
    return render(
        "oci/publishers.html",
        name=name,
        robots=[RobotPublishers(r, parts.publishers.list(r)) for r in robots],
        issuers=issuers,
        issuer=issuers.get(wanted) or next(iter(issuers.values()), None),
        labels=LABELS,
        audience=parts.config.identity_audience,
        error=error,
    )


def _robots(name: str) -> list[Robot]:
    """Return the robots of a path and of the repository of the same name that the
    visitor manages; 404 if the visitor manages neither."""
    parts, found, manages = services(), list[t.Any](), False
    if _manages_path(name):
        manages = True
        found += [r for r in parts.robots.list(path=name) if r.path == name]
    repository = parts.catalog.repositories.find(name)
    if repository.exists and may("manage", repository):
        manages = True
        found += parts.robots.list(repository=repository)
    if not manages:
        abort(404)
    return found


def _manages_path(name: str) -> bool:
    if not is_name(name):
        return False
    return is_admin() or services().policy.manages_robots(visitor(), name)


def _create(name: str, robot_name: str, user: t.Any) -> Robot:
    parts = services()
    place: dict[str, t.Any] = {"path": name}
    if not _manages_path(name):
        place = {"repository": parts.catalog.repositories.find(name)}
    return parts.robots.create(robot_name, **place, with_secret=False, by=user).robot
