"""Trusted publishers: the workflows that may log in as robots."""

from __future__ import annotations

import typing as t

from ..auth.limits import USUAL_ACTIONS
from ..errors import Denied
from ..errors import NameUnknown
from ..errors import Unsupported
from ..services import services
from .access import is_admin
from .access import signed_in_user
from .bodies import Issuer
from .bodies import Issuers
from .bodies import NewPublisher
from .bodies import Publisher
from .bodies import PublisherField
from .bodies import PublisherList
from .bodies import Publishers
from .robots import check_token
from .robots import expiry
from .tokens import is_token_id

if t.TYPE_CHECKING:
    from ..catalog import Robot
    from ..catalog.publishers import Publisher as StoredPublisher


def issuers() -> Issuers:
    """List the issuers of identity tokens that the registry trusts.

    :raises Unauthorized: if the caller is anonymous.
    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    """
    signed_in_user("manage")
    found = services().publishers.issuers
    return Issuers(
        audience=services().config.identity_audience if found else None,
        items=[
            Issuer(
                issuer=each.url,
                kind=each.kind.name,
                fields=[
                    PublisherField(name=f.name, hint=f.hint, required=f.is_required)
                    for f in each.kind.fields
                ],
            )
            for each in found.values()
        ],
    )


def publishers(query: PublisherList) -> Publishers:
    """List the publishers of a robot. The caller must manage its path or repository.

    :raises Unauthorized: if the caller is anonymous.
    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    :raises NameUnknown: if the caller manages no such robot.
    """
    found = services().publishers.list(_robot(query.robot))
    return Publishers(items=[_body(each) for each in found])


def add_publisher(body: NewPublisher) -> Publisher:
    """Let the jobs of a workflow log in as a robot. The caller must manage its path or
    repository.

    :raises Unauthorized: if the caller is anonymous.
    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories, that allows fewer actions than the robot or ends before it, or
        that was itself issued with a token.
    :raises NameUnknown: if the caller manages no such robot, or not the path of a new
        one.
    :raises Unsupported: 422, if the issuer is not trusted, or if a field or the name of
        a new robot is invalid.
    """
    user, parts = signed_in_user("manage"), services()
    try:
        if body.create:
            path, _, name = body.robot.partition("+")
            if not (is_admin() or parts.policy.manages_robots(user, path)):
                raise NameUnknown("You manage no such path.", detail=path)
            parts.publishers.checked(body.issuer, body.fields)
            check_token(USUAL_ACTIONS)
            robot = parts.robots.create(
                name, path=path, expires=expiry(None), with_secret=False, by=user
            ).robot
        else:
            robot = _robot(body.robot)
            check_token(robot.actions)
            _check_end(robot)
        added = parts.publishers.add(robot, body.issuer, body.fields, by=user)
    except ValueError as error:
        raise Unsupported(str(error), status=422) from None
    return _body(added)


def remove_publisher(publisher_id: str, query: PublisherList) -> None:
    """Remove a publisher of a robot. The logins of its jobs end at once. The caller
    must manage the path or the repository of the robot.

    :raises Unauthorized: if the caller is anonymous.
    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    :raises NameUnknown: if the caller manages no such robot, or if it has no such
        publisher.
    """
    user, robot = signed_in_user("manage"), _robot(query.robot)
    if not is_token_id(publisher_id) or not services().publishers.remove(
        robot, publisher_id, by=user
    ):
        raise NameUnknown("The robot has no such publisher.", detail=publisher_id)


def _robot(login: str) -> Robot:
    """Return a robot that the caller manages."""
    user, parts = signed_in_user("manage"), services()
    robot = parts.robots.find(login)
    if robot is None or not (is_admin() or parts.policy.manages_robot(user, robot)):
        raise NameUnknown("You manage no such robot.", detail=login)
    return robot


def _check_end(robot: Robot) -> None:
    """Check that a robot ends with the caller's access token at the latest."""
    end = expiry(None)
    if end is not None and (robot.expires_at is None or robot.expires_at > end):
        raise Denied("A token cannot add a publisher to a robot that ends after it.")


def _body(each: StoredPublisher) -> Publisher:
    return Publisher(
        id=each.id,
        issuer=each.issuer,
        kind=each.kind,
        fields=dict(each.fields),
        created_by=each.created_by,
        created_at=each.created_at,
        last_used_at=each.last_used_at,
        last_job=each.last_job,
    )
