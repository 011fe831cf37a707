"""Robots in the transactions of others: their check, and the end of their logins."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from ..clock import utcnow
from ..errors import UserDeleted

if t.TYPE_CHECKING:
    from ..robot_key import RobotKey
    from .database import Condition
    from .database import Database


def check_robot(database: Database, robot: RobotKey) -> None:
    """Check that a robot and the secret of the current request are still valid, as the
    lock of a user does for users.

    :raises UserDeleted: if the robot was deleted or disabled or has expired, or its
        secret was revoked.
    """
    robots = database.models.Robot.__table__.c
    secrets = database.models.Credential.__table__.c
    now = utcnow()
    login = database.login()
    statement = sa.select(robots.id).where(
        robots.id == robot.id,
        robots.disabled_at.is_(None),
        sa.or_(robots.expires_at.is_(None), robots.expires_at > now),
        sa.exists().where(
            secrets.robot_id == robots.id,
            secrets.id.in_(() if login is None else login.credentials),
            sa.or_(secrets.expires_at.is_(None), secrets.expires_at > now),
        ),
    )
    if database.execute(statement).first() is None:
        raise UserDeleted


def delete_logins(database: Database, wanted: Condition) -> None:
    """Lock robots, and delete their publishers and secrets, within a transaction.

    :param wanted: the condition for the robots.
    """
    key = database.models.Robot.__table__.c.id
    locking = sa.select(key).where(wanted).order_by(key).with_for_update()
    keys = list(database.execute(locking).scalars())
    if not keys:
        return
    # SQLite cascades only if the host enables foreign keys per connection.
    for model in (database.models.Publisher, database.models.Credential):
        table = model.__table__
        database.execute(sa.delete(table).where(table.c.robot_id.in_(keys)))
