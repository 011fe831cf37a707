"""Repositories: finding, changing and deleting them."""

from __future__ import annotations

import typing as t

from msgspec import UNSET

from ..auth.policy import is_active
from ..auth.principal import ANONYMOUS
from ..catalog import RepositoryInfo
from ..catalog.repository_list import Behind
from ..catalog.repository_list import Listed
from ..errors import Denied
from ..errors import NameInvalid
from ..errors import NameUnknown
from ..errors import Unsupported
from ..http import authorization
from ..http.readable import readable_repositories
from ..services import principal
from ..services import services
from ..spec.reference import check_name
from ..spec.scope import CATALOG_SCOPE
from . import paging
from .access import admit
from .bodies import Repositories
from .bodies import Repository
from .bodies import RepositoryChange
from .bodies import RepositoryList

if t.TYPE_CHECKING:
    from ..catalog import Condition


def repositories(query: RepositoryList) -> Repositories:
    """List the repositories that the caller may pull from.

    :raises Unauthorized: when everybody has to say who they are, or a bearer token was
        sent that was not made for this.
    """
    asking, parts = principal(), services()
    if not asking.covers_catalog or (
        asking == ANONYMOUS and parts.config.require_login
    ):
        error = "insufficient_scope" if asking.claims else None
        raise parts.authenticator.challenge([CATALOG_SCOPE], error)
    most = paging.limit(query.limit)
    shown, place = paging.cut(_visible(query, most + 1), most, lambda r: r.place)
    return Repositories(items=_described(shown), next=place)


def repository(name: str) -> Repository:
    """Show a repository.

    :raises NameUnknown: when there is none that the caller may see.
    """
    return _about(admit(name))


def change_repository(name: str, body: RepositoryChange) -> Repository:
    """Change what is said about a repository, who may see it, its name or its owner.

    The caller has to be allowed to manage it.

    :raises Denied: when the caller may not, or may not use the new name; and when the
        application decides itself who may see it.
    :raises NameUnknown: when there is none that the caller may see.
    :raises NameInvalid: 409, when something has the new name.
    :raises Unsupported: 422, when there is no such user, or they have no room for it.
    """
    found, by = admit(name, "manage"), principal().user
    wanted: dict[str, t.Any] = {}
    if body.description is not UNSET:
        wanted["description"] = body.description.replace("\r\n", "\n")
    if body.visibility is not UNSET:
        if services().policy.decided_visibility(found) is not None:
            raise Denied("The application decides who may see this repository.")
        wanted["visibility"] = body.visibility
    if body.name is not UNSET and body.name != found.name:
        wanted["new_name"] = _free(body.name)
    if body.owner is not UNSET:
        wanted["owner"] = _owner(body.owner, found)
    try:
        changed = services().administration.change(found, **wanted, by=by)
    except ValueError as error:
        conflict = "new_name" in wanted and services().catalog.repositories.find(
            wanted["new_name"]
        )
        status = 409 if conflict and conflict.exists else 422
        kind = NameInvalid if status == 409 else Unsupported
        raise kind(str(error), status=status) from None
    return _about(changed)


def delete_repository(name: str) -> None:
    """Delete a repository with everything in it, for good.

    The caller has to be allowed to manage it.

    :raises Denied: when they are not.
    :raises NameUnknown: when there is none that the caller may see.
    """
    services().administration.delete(admit(name, "manage"), by=principal().user)


def _visible(query: RepositoryList, most: int) -> list[Listed]:
    """Return the repositories that match the query and that the caller may pull."""
    start = paging.place(query.next)
    first = Behind(*start) if start else None

    def read(
        size: int, previous: Listed | None, condition: Condition | None
    ) -> list[Listed]:
        return services().catalog.repository_list.page(
            size,
            condition,
            search=query.search.lower(),
            below=query.under,
            order=query.order,
            behind=previous.place if previous else first,
        )

    return readable_repositories(most, read, lambda listed: listed.info)


def _about(repository: RepositoryInfo) -> Repository:
    about = services().catalog.repository_list.about(repository.key)
    if about is None:
        raise NameUnknown(detail=repository.name)
    return _described([about])[0]


def _described(found: list[Listed]) -> list[Repository]:
    catalog, policy = services().catalog, services().policy
    figures = catalog.repository_list.figures([r.info.key for r in found])
    owners = catalog.users.names(r.info.owner_id for r in found)
    return [
        Repository(
            name=r.info.name,
            owner=owners.get(r.info.owner_id),
            visibility=t.cast(t.Any, policy.visibility(r.info)),
            description=r.description,
            tags=figures[r.info.key].tags,
            bytes=figures[r.info.key].bytes,
            pulls=r.pull_count,
            pushed_at=r.pushed_at,
        )
        for r in found
    ]


def _free(name: str) -> str:
    """Return a new name that the caller may push to; whoever may not is not told
    whether there is something."""
    there = services().catalog.repositories.find(check_name(name))
    if not authorization.may("push", there):
        raise Denied("You may not use that name.", detail=name)
    return name


def _owner(username: str, repository: RepositoryInfo) -> t.Any:
    """Return somebody who can have the repository."""
    catalog = services().catalog
    user = catalog.users.by_name(username)
    if user is None or not is_active(user):
        raise Unsupported("There is nobody called that.", detail=username, status=422)
    key = catalog.users.key_of(user)
    if not catalog.quotas.has_room_for(key, username, repository):
        # They could push nothing more, and did not ask for it.
        raise Unsupported("They have no room for it.", detail=username, status=422)
    return user
