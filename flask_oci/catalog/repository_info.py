"""A repository, as policies and views know it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field

from ..errors import NameUnknown
from ..rules.visibility import INTERNAL
from ..rules.visibility import PRIVATE
from ..rules.visibility import PUBLIC


@dataclass(frozen=True, slots=True)
class RepositoryInfo:
    """A repository, or the one that a first push would make.

    It is what a host's ``authorize`` function is asked about.
    """

    name: str
    """Its whole name, such as ``alice/tools/app``."""

    id: int | None = None
    """Its key, or None while nothing has been pushed to it."""

    owner_id: t.Any = None
    """The key of the user whose it is, or None when it is nobody's."""

    visibility: str = PRIVATE
    """``private``, ``internal`` or ``public``."""

    is_limited: bool = field(default=False, repr=False, compare=False)
    """Whether a quota is laid down for it, or for its owner, as far as somebody looked
    who is about to push."""

    @property
    def key(self) -> int:
        """Its key.

        :raises NameUnknown: while nothing has been pushed to it.
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
        return self.name.partition("/")[0]

    def is_open_to(self, user: t.Any) -> bool:
        """Tell whether its visibility alone lets somebody pull.

        :param user: one of the host's users, or None.
        """
        return self.visibility == PUBLIC or (
            self.visibility == INTERNAL and user is not None
        )


#: A repository's name, or the repository as somebody has found it.
RepositoryRef: t.TypeAlias = str | RepositoryInfo


def name_of(repository: RepositoryRef) -> str:
    """Return what a repository is called."""
    return repository if isinstance(repository, str) else repository.name
