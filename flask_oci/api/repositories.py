"""Repositories: list, show, change and delete."""

from __future__ import annotations

import typing as t

from msgspec import UNSET

from ..auth.principal import ANONYMOUS
from ..auth.principal import Principal
from ..catalog import RepositoryInfo
from ..catalog.repository_info import namespace_of
from ..catalog.repository_list import Listed
from ..catalog.repository_search import Search
from ..errors import Denied
from ..errors import NameInvalid
from ..errors import NameUnknown
from ..errors import Unsupported
from ..http import authorization
from ..http.readable import list_filter
from ..http.repository_pages import Caller
from ..http.repository_pages import MAX_COUNTED
from ..http.repository_pages import RepositoryPages
from ..http.repository_pages import seal
from ..rules.quota import QuotaExceeded
from ..services import principal
from ..services import services
from ..spec.reference import check_name
from ..spec.scope import CATALOG_SCOPE
from . import paging
from .access import authorize
from .bodies import Repositories
from .bodies import Repository
from .bodies import RepositoryChange
from .bodies import RepositoryList


def repositories(query: RepositoryList) -> Repositories:
    """List the repositories that the caller may pull from.

    A page can have fewer entries than the limit, although there is a next page.

    :raises Unauthorized: if the caller is anonymous and the registry requires a login,
        or the caller's bearer token does not cover the list.
    """
    caller, parts = principal(), services()
    if not caller.covers_catalog or (
        caller == ANONYMOUS and parts.config.require_login
    ):
        error = "insufficient_scope" if caller.claims else None
        raise parts.challenges.new([CATALOG_SCOPE], error)
    search = Search(
        query.search.lower(), query.under, query.kind, query.visibility, query.platform
    )
    pages = RepositoryPages(_caller(caller), search, query.order)
    page = pages.page(
        paging.size(query), paging.repository_position(query.next), counted=query.count
    )
    total = page.total
    return Repositories(
        items=_bodies(page.found),
        next=None if page.next is None else seal(page.next),
        total=None if total is not None and total > MAX_COUNTED else total,
    )


def repository(name: str) -> Repository:
    """Show a repository.

    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    return _body(authorize(name))


def change_repository(name: str, body: RepositoryChange) -> Repository:
    """Change the description, visibility, name or owner of a repository.

    The caller must be allowed to manage it. A new name in the namespace of another user
    makes that user the owner, and the repository private, as after a first push.

    :raises Denied: if the caller may not manage the repository or use the new name, or
        the application sets the visibility.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    :raises NameInvalid: 409, if another repository has the new name.
    :raises Unsupported: 422, if the new owner does not exist, is inactive, or lacks
        the quota for the repository.
    """
    found, by = authorize(name, "manage"), principal().user
    changes: dict[str, t.Any] = {}
    if body.description is not UNSET:
        changes["description"] = body.description.replace("\r\n", "\n")
    if body.visibility is not UNSET:
        changes["visibility"] = body.visibility
    if body.owner is not UNSET:
        changes["owner"] = _new_owner(body.owner)
    if body.name is not UNSET and body.name != found.name:
        changes["new_name"] = _check_may_push(body.name)
        changes["owner"] = _check_owner_by_name(found, body.name, changes.get("owner"))
    try:
        changed = services().administration.change(
            found, **changes, within_quota=True, by=by
        )
    except QuotaExceeded as error:
        raise Unsupported(error.message, detail=error.details[0], status=422) from None
    except ValueError as error:
        conflict = "new_name" in changes and services().catalog.repositories.find(
            changes["new_name"]
        )
        if conflict and conflict.exists:
            raise NameInvalid(str(error), status=409) from None
        raise Unsupported(str(error), status=422) from None
    return _body(changed)


def delete_repository(name: str) -> None:
    """Delete a repository and all its content. This cannot be undone.

    The caller must be allowed to manage it.

    :raises Denied: if the caller may not manage the repository.
    :raises NameUnknown: if the repository does not exist, or is hidden from the caller.
    """
    services().administration.delete(authorize(name, "manage"), by=principal().user)


def _caller(caller: Principal) -> Caller:
    """Return the caller of a list, with the limits of the caller's credential."""
    return Caller(
        list_filter(),
        lambda info: authorization.may("pull", info),
        None
        if caller.limit is None
        else lambda name: caller.credential_allows("pull", name),
    )


def _body(repository: RepositoryInfo) -> Repository:
    listed = services().catalog.repository_list.about(repository.key)
    if listed is None:
        raise NameUnknown(detail=repository.name)
    return _bodies([listed])[0]


def _bodies(page: list[Listed]) -> list[Repository]:
    catalog, policy = services().catalog, services().policy
    keys = [listed.info.key for listed in page]
    figures = catalog.repository_list.figures(keys)
    contents = catalog.manifest_traits.of(keys)
    owners = catalog.users.names(r.info.owner_id for r in page)
    return [
        Repository(
            name=r.info.name,
            owner=owners.get(r.info.owner_id),
            visibility=t.cast(t.Any, policy.visibility(r.info)),
            upstream=r.info.upstream,
            description=r.description,
            tags=figures[key].tags,
            bytes=figures[key].bytes,
            pulls=r.pull_count,
            pushed_at=r.pushed_at,
            kinds=t.cast(t.Any, contents[key].kinds),
            platforms=contents[key].platforms,
        )
        for key, r in zip(keys, page, strict=True)
    ]


def _check_may_push(name: str) -> str:
    """Return a name if the caller may push to it.

    The error is the same whether or not the repository exists.
    """
    existing = services().catalog.repositories.find(check_name(name))
    if not authorization.may("push", existing):
        raise Denied("You may not use this name.", detail=name)
    return name


def _check_owner_by_name(repository: RepositoryInfo, name: str, owner: t.Any) -> t.Any:
    """Return the owner to set for a repository that gets a name in the namespace of a
    user. None leaves it to the name, so that the repository becomes private.

    :param owner: the new owner that the caller names, or None.
    :raises Denied: if the namespace belongs to another user than the caller, and the
        caller names a third user as the owner.
    """
    users = services().catalog.users
    user, key_of = users.by_name(namespace_of(name)), users.key_of
    if user is None:
        return owner
    if owner is None:
        return None
    if key_of(user) == key_of(principal().user):
        return owner
    if key_of(user) != key_of(owner):
        raise Denied("You may not choose the owner in this namespace.", detail=name)
    return None


def _new_owner(username: str) -> t.Any:
    """Return the active user with a name."""
    user = services().catalog.users.by_name(username)
    if user is None or not services().accounts.is_active(user):
        raise Unsupported("No active user has this name.", detail=username, status=422)
    return user
