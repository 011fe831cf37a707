"""What a host, or its command line, changes about repositories."""

from __future__ import annotations

import typing as t

from ..catalog.repository_info import name_of
from ..events import audit
from ..rules.visibility import VISIBILITIES
from ..spec.reference import check_name

#: How many bytes a description may have, which every database can hold.
MAX_DESCRIPTION: t.Final = 60_000

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..catalog import Catalog
    from ..catalog import RepositoryInfo
    from ..catalog.repository_info import RepositoryRef


class RepositoryManager:
    """Finds and changes repositories for a host: ``registry.repositories``.

    Nobody is asked for permission here: the host has done so. What it has asked about
    it gives as :meth:`find` returned it, and not by its name, which another repository
    may have got since; then it is that one which is changed, or none.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._repositories = catalog.repositories
        self._users = catalog.users

    def find(self, name: str) -> RepositoryInfo:
        """Return the repository of that name.

        :raises NameUnknown: when there is none.
        """
        return self._repositories.get(name)

    def set_visibility(
        self, repository: RepositoryRef, visibility: str, *, by: t.Any = None
    ) -> None:
        """Set who may pull from a repository, from the next request on.

        :param visibility: ``private``, ``internal`` or ``public``.
        :param by: the user who wants it, for the audit.
        :raises ValueError: for any other visibility.
        :raises NameUnknown: when there is no such repository.
        """
        _check_visibility(visibility)
        key = self._users.key_of(by)
        found = self._repositories.change(repository, by=key, visibility=visibility)
        self._record(by, found.name, visibility=visibility)

    def describe(
        self, repository: RepositoryRef, description: str, *, by: t.Any = None
    ) -> None:
        """Set what the page of a repository says about it.

        :param description: in Markdown; the first line is its summary.
        :param by: the user who wants it, for the audit.
        :raises ValueError: when it is longer than a page should be.
        :raises NameUnknown: when there is no such repository.
        """
        _check_description(description)
        found = self._repositories.change(repository, description=description)
        audit.record("described", self._users.name_of(by), found.name)

    def delete(self, repository: RepositoryRef, *, by: t.Any = None) -> None:
        """Delete a repository with its manifests, tags and upload sessions.

        The space is free when the collection has run.

        :param by: the user who wants it, for the audit.
        :raises NameUnknown: when there is no such repository.
        """
        self._repositories.delete(repository, by=self._users.key_of(by))
        name = name_of(repository)
        audit.record("delete", self._users.name_of(by), name, reference="everything")

    def transfer(
        self, repository: RepositoryRef, owner: t.Any, *, by: t.Any = None
    ) -> None:
        """Give a repository to another user, under the same name.

        :param owner: one of the host's users.
        :param by: the user who wants it, for the audit.
        :raises NameUnknown: when there is no such repository.
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
        by: t.Any = None,
        within_transaction: Callable[[], object] | None = None,
        recursive: bool = True,
    ) -> list[str]:
        """Rename a repository, or every one below a prefix, such as a user's name.

        What was pushed stays as it is. The old names can be pulled from, with a
        warning, until somebody pushes to them.

        :param old: a repository's name, or the first components of some.
        :param new: what to put in its place.
        :param owner: one of the host's users, to give them to at the same time; None
            leaves them to whom they belong.
        :param by: the user who wants it, for the audit.
        :param within_transaction: a function that renames the host's own rows. It is
            called in the same transaction, so that both renames are committed or
            neither, and again if the transaction is retried.
        :param recursive: whether to rename the repositories below ``old/`` as well.
        :return: the new names.
        :raises NameInvalid: when a new name is none.
        :raises ValueError: when somebody has a new name already.
        """
        found = [
            repository.name
            for repository in self._repositories.all_below(old)
            if recursive or repository.name == old
        ]
        # What moves down makes room for what is above it, and the other way around.
        found.sort(reverse=len(new) > len(old))
        names = {name: check_name(new + name[len(old) :]) for name in found}
        values, told = {}, {}
        if owner is not None:
            values = {"owner_id": self._users.key_of(owner)}
            told = {"owner": self._users.namespace_of(owner)}
        key = self._users.key_of(by)
        self._repositories.rename(names, within_transaction, by=key, **values)
        for before, after in names.items():
            moved = {"renamed_from": before} if before != after else {}
            if moved or told:
                self._record(by, after, **moved, **told)
        return sorted(names.values())

    def change(
        self,
        repository: RepositoryRef,
        *,
        description: str | None = None,
        visibility: str | None = None,
        owner: t.Any = None,
        new_name: str | None = None,
        by: t.Any = None,
    ) -> RepositoryInfo:
        """Change several things about a repository: all of them or none.

        :param description: what its page says; None leaves it, as everywhere here.
        :param visibility: ``private``, ``internal`` or ``public``.
        :param owner: one of the host's users, to give it to.
        :param new_name: what to call it from now on.
        :param by: the user who wants it, for the audit.
        :return: it, under the name that it has then.
        :raises ValueError: when a value cannot be, or somebody has the new name.
        :raises NameInvalid: when the new name is none.
        :raises NameUnknown: when there is no such repository.
        """
        values: dict[str, t.Any] = {}
        told: dict[str, str] = {}
        if visibility is not None:
            _check_visibility(visibility)
            values["visibility"] = told["visibility"] = visibility
        if owner is not None:
            values["owner_id"] = self._users.key_of(owner)
            told["owner"] = self._users.namespace_of(owner)
        if description is not None:
            _check_description(description)
            values["description"] = description
        name = name_of(repository)
        if new_name is not None and check_name(new_name) != name:
            told["renamed_from"] = name
        key = self._users.key_of(by)
        found = self._repositories.change(
            repository, new_name=new_name, by=key, **values
        )
        if told:
            self._record(by, found.name, **told)
        if description is not None:
            audit.record("described", self._users.name_of(by), found.name)
        return found

    def _record(self, by: t.Any, name: str, **detail: str) -> None:
        audit.record("permission-changed", self._users.name_of(by), name, **detail)


def _check_visibility(visibility: str) -> None:
    if visibility not in VISIBILITIES:
        raise ValueError(
            f"A visibility is one of {', '.join(VISIBILITIES)}, not {visibility!r}."
        )


def _check_description(description: str) -> None:
    if len(description.encode()) > MAX_DESCRIPTION:
        raise ValueError(f"A description has at most {MAX_DESCRIPTION} bytes.")
