"""The user in whose name an operation changes a repository."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence

    from ..catalog import RepositoryInfo
    from ..spec.digest import Digest
    from ..spec.manifest import Manifest


def always() -> bool:
    """Return True. A user that the host's own code names may change protected tags."""
    return True


def no_check(*checked: object) -> None:
    """Allow the push. The host's own code, and the operator, have decided already."""


#: A function of a manifest's digest, its parts, its bytes and its tags.
Admit: t.TypeAlias = "Callable[[Digest, Manifest, bytes, Sequence[str]], object]"


class Actor(t.NamedTuple):
    """A user, as known after the transaction that read the user's row has ended."""

    key: t.Any = None
    """The user's primary key, or None if there is no user."""

    name: str | None = None
    """The user's name, or None if there is no user."""

    may_manage: Callable[[], bool] = always
    """Returns True if the user may change protected tags. It is called only if a tag
    is protected, because the host's answer may take long."""

    check_push: Callable[[RepositoryInfo], object] = no_check
    """Raises an error if the user may not push to a repository. It is called in the
    transaction of a push, if the repository is no longer the one that the request was
    admitted to."""

    admit_manifest: Callable[[Digest, Manifest, bytes, Sequence[str]], object] = (
        no_check
    )
    """Raises an error if the host does not admit a manifest that the user pushes: its
    digest, its parts, its bytes and its tags."""
