"""The container registry of this forge: all that a host application writes."""

from __future__ import annotations

import sqlalchemy as sa
from werkzeug.security import check_password_hash
from werkzeug.security import generate_password_hash

from flask_oci import Registry
from flask_oci import RepositoryInfo

from .models import db
from .models import find_project
from .models import find_user
from .models import Member
from .models import Project
from .models import User

# Its tables live in the forge's database, beside the users'. A person's images are
# named after `User.username`; Registry(…, username="…") takes another attribute.
registry = Registry(db, User)

# An unknown name is checked against this, so that the time an answer takes does not
# tell which names exist.
NOBODY = generate_password_hash("")


# `docker login` asks this. The sign-in page asks it too: one password for both.
@registry.authenticate
def check_password(username: str, secret: str) -> User | None:
    """Return the user whose password this is, or None."""
    user = find_user(username)
    # Hash the password in any case: see above.
    matches = check_password_hash(user.password_hash if user else NOBODY, secret)
    # Whether the account is switched off is asked at each use, not only here.
    return user if matches else None


# Every request asks this, so what changes on a project's page is true at once.
@registry.authorize
def may(user: User | None, action: str, image: RepositoryInfo) -> bool:
    """Tell whether somebody may pull, push or delete an image."""
    if user and user.is_admin:
        return True
    project = find_project(image.name)
    # An image is its project's by name. One that was there when its owner left stays
    # out of reach of a newcomer who takes the name.
    if project and (not image.exists or image.owner_id == project.owner_id):
        return project.allows(user, action)
    return registry.default_policy(user, action, image)


# A project's images are seen by whom the project is seen by; the pages say so.
@registry.visibility_of
def visibility_of(image: RepositoryInfo) -> str | None:
    """Return who may see an image, if a project decides that."""
    project = find_project(image.name)
    return (
        project.visibility if project and image.owner_id == project.owner_id else None
    )


# Who runs the forge sees what takes space, and what is being pushed.
@registry.is_admin
def is_administrator(user: User) -> bool:
    """Tell whether somebody may see the pages about everybody's images."""
    return user.is_admin


# Without this, a list of images would ask the above about every image there is.
@registry.list_filter
def may_list(user: User | None) -> sa.ColumnElement[bool]:
    """Say in SQL what `may` lets somebody pull."""
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
