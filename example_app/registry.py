"""The container registry of this forge: all code that a host application needs."""

from __future__ import annotations

import sqlalchemy as sa
from werkzeug.security import check_password_hash
from werkzeug.security import generate_password_hash

from flask_oci import Registry
from flask_oci import RepositoryInfo
from flask_oci import Robot

from .models import db
from .models import find_project
from .models import find_user
from .models import Member
from .models import Project
from .models import User

# Its tables live in the forge's database. The names of a user's images begin with
# `User.username`; Registry(…, username="…") takes another attribute.
registry = Registry(db, User)

# The hash for unknown names: the time of an answer then does not reveal which names
# exist.
DUMMY_HASH = generate_password_hash("")


# `docker login` and the sign-in page both call this: one password for both.
@registry.authenticate
def check_password(username: str, secret: str) -> User | None:
    """Return the user if the password is correct, or None."""
    user = find_user(username)
    # Hash the password in any case: see above.
    matches = check_password_hash(user.password_hash if user else DUMMY_HASH, secret)
    # The registry and Flask-Login check `is_active` at each use.
    return user if matches else None


# Every request calls this, so a change on a project's page takes effect at once.
@registry.authorize
def may(user: User | None, action: str, image: RepositoryInfo) -> bool:
    """Return True if the user may pull, push or delete an image."""
    if user and user.is_admin:
        return True
    project = find_project(image.name)
    # An image belongs to its project by name. The owner is compared, because a new user
    # may take the name of a user who left.
    if project and (not image.exists or image.owner_id == project.owner_id):
        return project.allows(user, action)
    return registry.default_policy(user, action, image)


# Robots are the accounts of machines, such as the jobs of a CI.
@registry.authorize_robot
def robot_may(robot: Robot, action: str, image: RepositoryInfo) -> bool:
    """Return True if a robot may do that: it keeps to the images of its owner."""
    return registry.default_robot_policy(robot, image)


# A project's images have the project's visibility, and the pages show it.
@registry.visibility_of
def visibility_of(image: RepositoryInfo) -> str | None:
    """Return the visibility of an image if its project determines it, or None."""
    project = find_project(image.name)
    return (
        project.visibility if project and image.owner_id == project.owner_id else None
    )


# Administrators see the pages about storage and running uploads.
@registry.is_admin
def is_administrator(user: User) -> bool:
    """Return True if the user may see the pages about all images."""
    return user.is_admin


# Without this, a list of images would call `may` for each image.
@registry.list_filter
def may_list(user: User | None) -> sa.ColumnElement[bool]:
    """Return the SQL condition for the images that `may` lets the user pull."""
    if user and user.is_admin:
        return sa.true()
    Repository = registry.models.Repository
    seen = [Project.visibility == "public"]
    if user:
        mine = Project.members.any(Member.user_id == user.id)
        seen += [Project.visibility == "internal", Project.owner == user, mine]
    below = registry.path_filter(User.username + "/" + Project.name)
    owned = sa.and_(Project.owner_id == User.id, Repository.owner_id == User.id)
    in_project = sa.exists().where(owned, below, sa.or_(*seen))
    return in_project | registry.default_list_filter(user)
