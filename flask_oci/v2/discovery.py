"""Content discovery (spec.md, "Content Discovery")."""

from __future__ import annotations

import typing as t

from flask import request

from ..auth.principal import ANONYMOUS
from ..auth.sealed_cursors import CursorInvalid
from ..http.authorization import admit
from ..http.readable import list_filter
from ..http.readable import readable_repositories
from ..http.responses import Response
from ..services import principal
from ..services import services
from ..spec.digest import Digest
from ..spec.manifest import OCI_INDEX
from ..spec.scope import CATALOG_SCOPE
from . import cached
from . import paging

if t.TYPE_CHECKING:
    from ..catalog import Condition
    from ..catalog import RepositoryInfo

#: The maximum length of a sealed name. The longest name needs 363 characters.
_MAX_SEALED: t.Final = 400


def tags(name: str) -> Response:
    """end-8: ``GET /v2/<name>/tags/list?n=<integer>&last=<tagname>``, 200.

    :raises NameUnknown: if nothing has been pushed to the repository.
    """
    key, limit = admit(name, "pull").key, paging.limit()
    found = services().catalog.tags.page(key, limit + 1, paging.last())
    more = 0 < limit < len(found)
    found = found[:limit]
    return paging.page({"name": name, "tags": found}, found[-1] if more else None)


def referrers(name: str, digest: str) -> Response:
    """end-12: ``GET /v2/<name>/referrers/<digest>?artifactType=<type>``, 200.

    Every well-formed digest has a list. The list is empty if the digest or the
    repository is unknown, because a 404 would mean that the registry has no referrers
    API.

    :raises DigestInvalid: if the digest is malformed.
    """
    repository = admit(name, "pull")
    subject = Digest.parse(digest)
    # An empty value does not filter.
    types = [v for v in map(paging.text, request.args.getlist("artifactType")) if v]
    found, more = _referrers(repository, subject, types)
    response = paging.page(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found},
        found[-1]["digest"] if more else None,
        **({"artifactType": types} if types else {}),
    )
    response.headers["Content-Type"] = OCI_INDEX
    if types:
        response.headers["OCI-Filters-Applied"] = "artifactType"
    return response


def catalog() -> Response:
    """``GET /v2/_catalog?n=<integer>&last=<name>``, 200: the repositories that the
    caller may pull from (Distribution's docs/content/spec/api.md, "Listing
    Repositories").

    :raises Unauthorized: if the request has no credentials, or a token that does not
        cover the catalog.
    """
    caller = principal()
    if caller == ANONYMOUS or not caller.covers_catalog:
        raise services().challenges.new(
            [CATALOG_SCOPE], "insufficient_scope" if caller.claims else None
        )
    limit, condition = paging.limit(), list_filter()
    found = _readable(limit + 1, paging.last(), condition)
    more = 0 < limit < len(found)
    found = found[:limit]
    kept = {"after": _sealed(found[-1])} if more and condition is None else {}
    return paging.page({"repositories": found}, found[-1] if more else None, **kept)


def _referrers(
    repository: RepositoryInfo, subject: Digest, types: list[str]
) -> tuple[list[dict[str, t.Any]], bool]:
    limit = paging.limit()
    if repository.id is None or limit == 0:
        return [], False
    if (upstream := cached.upstream_of(repository)) is not None:
        return cached.referrers(
            upstream, repository, subject, types, limit, paging.last()
        )
    return services().catalog.referrers.page(
        repository.id, subject, types, limit, paging.last()
    )


def _readable(limit: int, last: str | None, condition: Condition | None) -> list[str]:
    """Return the names of the repositories after ``last`` that the caller may pull.

    If the policy decides about each, a name that the client chooses is no place to
    begin: the number of repositories after it would tell which hidden names exist. Only
    a name that the registry sent in a link is one.

    :param condition: the condition for the database, or None.
    """
    is_start = condition is not None or last is None or _is_sealed(last)

    def read(size: int, previous: RepositoryInfo | None) -> list[RepositoryInfo]:
        start = last if is_start else None
        return services().catalog.repository_list.with_manifests(
            size, previous.name if previous else start, condition
        )

    found, _ = readable_repositories(
        limit,
        condition,
        read,
        lambda repository: repository,
        lambda name: last is None or name > last,
    )
    return [repository.name for repository in found]


def _sealed(name: str) -> str:
    """Return the proof that the registry has sent a name to a client."""
    return services().cursors.seal(name.encode(), request.path)


def _is_sealed(name: str) -> bool:
    """Return True if the request has the proof for a name."""
    try:
        text = request.args.get("after", "")[:_MAX_SEALED]
        return services().cursors.open(text, request.path) == name.encode()
    except CursorInvalid:
        return False
