"""Repository information for policies and views."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field

from ..errors import Denied
from ..errors import NameUnknown
from ..rules.visibility import INTERNAL
from ..rules.visibility import PRIVATE
from ..rules.visibility import PUBLIC

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class RepositoryInfo:
    """A repository, or one that a first push would create.

    A host's ``authorize`` function receives it.
    """

    name: str
    """Its full name, such as ``alice/tools/app``."""

    id: int | None = None
    """Its key, or None while nothing has been pushed to it."""

    owner_id: t.Any = None
    """The key of its owner, or None if it has no owner."""

    visibility: str = PRIVATE
    """``private``, ``internal`` or ``public``."""

    upstream: str | None = None
    """The namespace of the upstream (:data:`OCI_UPSTREAMS`) whose content it caches, or
    None for an ordinary repository."""

    is_limited: bool = field(default=False, repr=False, compare=False)
    """Whether a quota is set for it or for its owner. Only lookups for a push set
    this."""

    is_listed: bool = field(default=True, repr=False, compare=False)
    """Whether it is in the lists of repositories. Only lookups for a push set this."""

    may_have_blocks: bool = field(default=False, repr=False, compare=False)
    """Whether a block is set for it, or for any path. Only lookups for a push set
    this."""

    may_have_policies: bool = field(default=False, repr=False, compare=False)
    """Whether an image policy is set for it, or for a path that contains it. Only
    lookups for a push set this."""

    @property
    def key(self) -> int:
        """Its key.

        :raises NameUnknown: if nothing has been pushed to it.
        """
        if self.id is None:
            raise NameUnknown(detail=self.name)
        return self.id

    @property
    def exists(self) -> bool:
        """Whether anything has been pushed to it."""
        return self.id is not None

    @property
    def namespace(self) -> str:
        """The first component of its name."""
        return namespace_of(self.name)

    def is_open_to(self, user: t.Any) -> bool:
        """Return True if its visibility alone allows a user to pull.

        :param user: one of the host's users, or None for an anonymous client.
        """
        return self.visibility == PUBLIC or (
            self.visibility == INTERNAL and user is not None
        )


#: A repository's name, or a repository that was looked up before.
RepositoryRef: t.TypeAlias = str | RepositoryInfo


def name_of(repository: RepositoryRef) -> str:
    """Return the name of a repository."""
    return repository if isinstance(repository, str) else repository.name


def namespace_of(name: str) -> str:
    """Return the first component of the name of a repository."""
    return name.partition("/")[0]


class Pusher(t.Protocol):
    """The user who pushes to a repository."""

    @property
    def key(self) -> t.Any:
        """The user's primary key, or None if there is no user."""

    @property
    def check_push(self) -> Callable[[RepositoryInfo], object]:
        """Raises an error if the user may not push to a repository."""


def check_unchanged(
    wanted: RepositoryInfo, found: RepositoryInfo, pusher: Pusher
) -> None:
    """Ask again whether a caller may push, if the repository has changed."""
    if found != wanted:
        pusher.check_push(found)


def check_writable(found: RepositoryInfo, upstreams: Collection[str]) -> None:
    """Check that users may put content into a repository.

    :param found: the repository, which need not exist.
    :param upstreams: the namespaces of upstreams.
    :raises Denied: if it caches an upstream, or would be created in such a namespace.
    """
    if found.upstream or (not found.exists and found.namespace in upstreams):
        raise read_only(found)


def read_only(found: RepositoryInfo) -> Denied:
    """Return the error for a change of a repository that caches an upstream."""
    return Denied(
        f"{found.namespace}/ caches another registry and is read-only; push to another"
        " namespace.",
        detail=found.name,
    )
