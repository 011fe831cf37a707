"""Repositories: finding, changing, renaming and deleting them."""

from __future__ import annotations

import typing as t

from ..catalog.repository_info import name_of
from ..catalog.repository_info import namespace_of
from ..errors import Denied
from ..events import audit
from ..host_functions import synchronous
from ..rules.visibility import VISIBILITIES
from ..spec.reference import check_name

#: The maximum size of a description in bytes, which every database can store.
MAX_DESCRIPTION: t.Final = 60_000

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..catalog.repository_info import RepositoryRef
    from ..hooks import Hooks


class RepositoryManager:
    """Finds and changes repositories for a host: ``registry.repositories``.

    These methods do not check permissions: the host has done so. To change the
    repository that it checked, the host passes the object that :meth:`find` returned. A
    name could meanwhile belong to another repository.
    """

    def __init__(self, catalog: Catalog, hooks: Hooks) -> None:
        self._hooks = hooks
        self._quotas = catalog.quotas
        self._repositories = catalog.repositories
        self._users = catalog.users

    def find(self, name: str) -> RepositoryInfo:
        """Return the repository with this name.

        :raises NameUnknown: if there is no such repository.
        """
        return self._repositories.get(name)

    def set_visibility(
        self, repository: RepositoryRef, visibility: str, *, by: t.Any = None
    ) -> None:
        """Set who may pull from a repository, from the next request on.

        :param visibility: ``private``, ``internal`` or ``public``.
        :param by: the user who makes the change, for the audit log.
        :raises ValueError: if the visibility is invalid.
        :raises Denied: if the function for :meth:`Registry.visibility_of
            <flask_oci.Registry.visibility_of>` decides on this repository.
        :raises NameUnknown: if there is no such repository.
        """
        _check_visibility(visibility)
        before = self._found(repository)
        self._check_undecided(before)
        key = self._users.key_of(by)
        found = self._repositories.change(before, by=key, visibility=visibility)
        self._record(by, found.name, visibility=visibility)

    def describe(
        self, repository: RepositoryRef, description: str, *, by: t.Any = None
    ) -> None:
        """Set the description on the page of a repository.

        :param description: Markdown; the first line is the summary.
        :param by: the user who makes the change, for the audit log.
        :raises ValueError: if the description is too long.
        :raises NameUnknown: if there is no such repository.
        """
        _check_description(description)
        found = self._repositories.change(repository, description=description)
        audit.record("described", self._users.name_of(by), found.name)

    def delete(self, repository: RepositoryRef, *, by: t.Any = None) -> None:
        """Delete a repository with its manifests, tags and upload sessions.

        The disk space is free after the next garbage collection.

        :param by: the user who makes the change, for the audit log.
        :raises NameUnknown: if there is no such repository.
        """
        self._repositories.delete(repository, by=self._users.key_of(by))
        name = name_of(repository)
        audit.record("delete", self._users.name_of(by), name, reference="everything")

    def transfer(
        self, repository: RepositoryRef, owner: t.Any, *, by: t.Any = None
    ) -> None:
        """Give a repository to another user, under the same name.

        :param owner: one of the host's users.
        :param by: the user who makes the change, for the audit log.
        :raises NameUnknown: if there is no such repository.
        """
        to, key = self._users.key_of(owner), self._users.key_of(by)
        found = self._repositories.change(repository, by=key, owner_id=to)
        self._record(by, found.name, owner=self._users.namespace_of(owner))

    def rename(
        self,
        old: str,
        new: str,
        *,
        owner: t.Any = None,
        owned_by: t.Any = None,
        by: t.Any = None,
        within_transaction: Callable[[], object] | None = None,
        recursive: bool = True,
    ) -> list[str]:
        """Rename a repository, or all repositories below a prefix, such as a user's
        name.

        Their content does not change. The old names can be pulled from, with a warning,
        until a client pushes to them.

        :param old: the name of a repository, or the first components of names.
        :param new: the replacement for ``old``.
        :param owner: one of the host's users, who becomes the owner at the same time.
            None keeps the owners, except of a repository whose owner moves it into the
            namespace of another user: as after a first push, it is private and belongs
            to that user.
        :param owned_by: one of the host's users. Only this user's repositories are
            renamed. None renames those of all owners.
        :param by: the user who makes the change, for the audit log.
        :param within_transaction: a function that renames the host's own rows. It is
            called in the same transaction, so that both renames are committed or
            neither. It is called again if the transaction is retried.
        :param recursive: whether to rename the repositories below ``old/`` as well.
        :return: the new names.
        :raises NameInvalid: if a new name is invalid.
        :raises ValueError: if a new name is in use.
        :raises TypeError: if ``within_transaction`` is a coroutine function, or returns
            an awaitable. Nothing is renamed.
        """
        if within_transaction is not None:
            within_transaction = synchronous(within_transaction)
        former_owner = self._users.key_of(owned_by)
        before = {
            repository.name: repository
            for repository in self._repositories.all_below(old)
            if (recursive or repository.name == old)
            and (owned_by is None or repository.owner_id == former_owner)
        }
        found = list(before)
        # A longer name is free only after the repositories below it have moved, and a
        # shorter name only after those above it.
        found.sort(reverse=len(new) > len(old))
        names = {name: check_name(new + name[len(old) :]) for name in found}
        values = {}
        if owner is not None:
            values = {"owner_id": self._users.key_of(owner)}
        key = self._users.key_of(by)
        done = self._repositories.rename(
            names, within_transaction, owned_by_id=former_owner, by=key, **values
        )
        for name, after in done.items():
            moved = {"renamed_from": name} if name != after.name else {}
            if moved or owner is not None:
                self._record(
                    by, after.name, **moved, **self._owner(before[name], after)
                )
        return sorted(names.values())

    def change(
        self,
        repository: RepositoryRef,
        *,
        description: str | None = None,
        visibility: str | None = None,
        owner: t.Any = None,
        new_name: str | None = None,
        within_quota: bool = False,
        by: t.Any = None,
    ) -> RepositoryInfo:
        """Change several properties of a repository: all of them or none.

        Without ``owner``, a new name in the namespace of another user makes that user
        the owner, as after a first push. The repository is then private, and without
        retention rules and protected tags of its own.

        :param description: the description on its page; for every parameter, None keeps
            the value.
        :param visibility: ``private``, ``internal`` or ``public``.
        :param owner: one of the host's users, who becomes the owner.
        :param new_name: the new name.
        :param within_quota: whether to refuse a new owner or name if the quota of the
            owner, or of the path of the name, has no room for the repository.
        :param by: the user who makes the change, for the audit log.
        :return: the repository, with its new name and owner.
        :raises ValueError: if a value is invalid, or the new name is in use.
        :raises NameInvalid: if the new name is invalid.
        :raises Denied: if the function for :meth:`Registry.visibility_of
            <flask_oci.Registry.visibility_of>` decides on the visibility to change.
        :raises NameUnknown: if there is no such repository.
        :raises QuotaExceeded: with ``within_quota``, if the quota of the new owner or
            path has no room for the repository.
        """
        values: dict[str, t.Any] = {}
        detail: dict[str, str] = {}
        if visibility is not None:
            _check_visibility(visibility)
            values["visibility"] = detail["visibility"] = visibility
        if owner is not None:
            values["owner_id"] = self._users.key_of(owner)
        if description is not None:
            _check_description(description)
            values["description"] = description
        before = self._found(repository)
        if visibility is not None:
            self._check_undecided(before)
        if new_name is not None and check_name(new_name) != before.name:
            detail["renamed_from"] = before.name
        key = self._users.key_of(by)
        check = None
        # The check locks users, which other changes do not need.
        if within_quota and (owner is not None or new_name is not None):
            check = self._quotas.check_room
        found = self._repositories.change(
            before, new_name=new_name, check_room=check, by=key, **values
        )
        detail |= self._owner(before, found)
        if detail:
            self._record(by, found.name, **detail)
        if description is not None:
            audit.record("described", self._users.name_of(by), found.name)
        return found

    def owner_by_name(self, repository: RepositoryInfo, new_name: str) -> t.Any:
        """Return the user who becomes the owner of a repository by a new name, or None
        if the owner stays."""
        namespace = namespace_of(new_name)
        user = self._users.by_name(namespace)
        if user is None or self._users.key_of(user) == repository.owner_id:
            return None
        return user

    def _found(self, repository: RepositoryRef) -> RepositoryInfo:
        if isinstance(repository, str):
            return self._repositories.get(repository)
        return repository

    def _check_undecided(self, repository: RepositoryInfo) -> None:
        """Check that neither the host nor the configuration decides on the visibility
        of a repository.

        :raises Denied: if one does. A stored visibility would then have no effect.
        """
        if repository.upstream is not None:
            raise Denied(
                f"OCI_UPSTREAMS sets the visibility of {repository.name}, which caches"
                " another registry."
            )
        decided = self._hooks.decided_visibility(repository)
        if decided is not None:
            raise Denied(
                f"The application sets the visibility of {repository.name}; it is"
                f" {decided}. Change it in the application."
            )

    def _owner(self, before: RepositoryInfo, after: RepositoryInfo) -> dict[str, str]:
        """Return the name of the new owner for the audit log, if the owner changed."""
        if before.owner_id == after.owner_id:
            return {}
        owner = self._users.names([after.owner_id]).get(after.owner_id)
        return {} if owner is None else {"owner": owner}

    def _record(self, by: t.Any, name: str, **detail: str) -> None:
        audit.record("permission-changed", self._users.name_of(by), name, **detail)


def _check_visibility(visibility: str) -> None:
    if visibility not in VISIBILITIES:
        raise ValueError(
            f"Invalid visibility {visibility!r}: use one of {', '.join(VISIBILITIES)}."
        )


def _check_description(description: str) -> None:
    if len(description.encode()) > MAX_DESCRIPTION:
        raise ValueError(f"The description has more than {MAX_DESCRIPTION} bytes.")
