"""Repositories: creating, locking, changing and deleting them."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from ..changes import Change
from ..changes import REPOSITORY_CREATED
from ..changes import REPOSITORY_DELETED
from ..clock import utcnow
from ..errors import NameUnknown
from ..robot_key import user_key
from ..rules.paths import paths_of
from . import owner_usage
from .database import Database
from .recent_pushes import RecentPushes
from .repository_changes import RepositoryChanges
from .repository_info import check_unchanged
from .repository_info import check_writable
from .repository_info import name_of
from .repository_info import namespace_of
from .repository_info import Pusher
from .repository_info import RepositoryInfo
from .repository_info import RepositoryRef
from .repository_queries import RepositoryQueries
from .repository_statements import delete_contents
from .users import Users

if t.TYPE_CHECKING:
    from collections.abc import Callable


class Repositories(RepositoryQueries):
    """Finds, creates, locks, changes and deletes repositories.

    :param recent_pushes: collects the repositories that are pushed to.
    """

    def __init__(
        self, database: Database, users: Users, recent_pushes: RecentPushes
    ) -> None:
        super().__init__(database)
        self._recent_pushes = recent_pushes
        self._users = users
        self._changes = RepositoryChanges(
            database, users, self.find, lambda: self.upstreams()
        )

    def ensure(self, wanted: RepositoryRef, pusher: Pusher) -> RepositoryInfo:
        """Lock a repository, and create it if it does not exist, within a transaction.

        The owner is the user whose namespace it is in. If the namespace belongs to no
        user, the owner is the pusher.

        :param wanted: the name, or the repository that the caller was authorized for.
        :param pusher: the user who pushes.
        :return: the repository, with its key.
        :raises NameUnknown: if the caller was authorized for a repository that has
            since been deleted, renamed or replaced.
        :raises RegistryError: if the repository has since been created, transferred or
            hidden, and the pusher may not push to it now.
        :raises Denied: if it is in the namespace of an upstream.
        """
        name = name_of(wanted)
        found = self._lock(self._statements.ensuring, name=name) or RepositoryInfo(name)
        if isinstance(wanted, RepositoryInfo):
            if wanted.exists and found.id != wanted.id:
                raise NameUnknown(detail=name)
            check_unchanged(wanted, found, pusher)
        check_writable(found, self.upstreams())
        return found if found.exists else self._make(name, pusher.key)

    def ensure_cached(self, wanted: RepositoryInfo) -> RepositoryInfo:
        """Lock a repository that caches an upstream, and create it if it does not
        exist, within a transaction.

        :param wanted: the repository, with its upstream.
        :raises NameUnknown: if the name belongs to a repository of a user.
        """
        found = self._lock(self._statements.ensuring, name=wanted.name)
        if found is not None and found.upstream != wanted.upstream:
            raise NameUnknown(detail=wanted.name)
        return found or self._make(wanted.name, None, wanted.upstream)

    def owners_of_new(self, wanted: RepositoryRef) -> list[t.Any]:
        """Return the key of the user who owns a repository that a push creates, if its
        namespace belongs to a user. It is empty if the repository was found before."""
        if isinstance(wanted, RepositoryInfo) and wanted.exists:
            return []
        return [self._users.owner_of_namespace(namespace_of(name_of(wanted)))]

    def _make(
        self, name: str, pusher_id: t.Any, upstream: str | None = None
    ) -> RepositoryInfo:
        Repository, Alias = self._db.models.Repository, self._db.models.RepositoryAlias
        change = Change(kind=REPOSITORY_CREATED, repository=name, by=pusher_id)
        self._db.record_change(change)
        values: dict[str, t.Any] = {"name": name, "upstream": upstream}
        statement = sa.insert(Repository.__table__)
        if upstream is None:
            owner_id = self._users.owner_of_namespace(namespace_of(name))
            values["owner_id"] = user_key(pusher_id) if owner_id is None else owner_id
            values["author_id"] = values["owner_id"]
            values["paths"] = paths_of(name)
            statement = self._statements.creating
        else:
            values["visibility"] = self.upstreams()[upstream]
        # If another transaction has created it meanwhile, this fails, and the retried
        # transaction finds it. Its creation is therefore recorded only once.
        made = self._db.execute(statement, values)
        change.repository_id = key = t.cast(t.Any, made).inserted_primary_key[0]
        self._db.add_to_totals(repositories=1)
        # A name in use must no longer be the alias of another repository.
        self._db.session.execute(sa.delete(Alias.__table__).where(Alias.name == name))
        # Its quotas and blocks have not been read, so it may have some.
        return RepositoryInfo(
            name,
            key,
            values.get("owner_id"),
            upstream=upstream,
            is_limited=True,
            is_listed=False,
            may_have_blocks=True,
        )

    def list_with_blob(self, found: RepositoryInfo) -> None:
        """Put a repository that gets a blob into the lists, within a transaction.

        If the push fails after that, its blobs still count for the quota of the owner,
        who has to find the repository.
        """
        if not found.is_listed:
            self.push_to(found.key)

    def push_to(self, repository_id: int) -> bool:
        """Record a push, within a transaction. This locks the repository as
        :meth:`Database.lock_repository` does.

        :return: False if the repository has been deleted.
        """
        self._recent_pushes.add(repository_id)
        values = {"key": repository_id, "pushed_at": utcnow()}
        return bool(self._db.change(self._statements.pushing, values))

    def lock_for_push(
        self, wanted: RepositoryInfo, pusher: Pusher
    ) -> RepositoryInfo | None:
        """Lock the existing repository that a caller was authorized to push to.

        :param pusher: the user who pushes.
        :return: the current repository, or None if it has been deleted.
        :raises RegistryError: if the repository has since been renamed, transferred or
            hidden, and the pusher may not push to it now.
        """
        found = self.lock(wanted.key)
        if found is not None:
            check_unchanged(wanted, found, pusher)
        return found

    def lock(self, repository_id: int) -> RepositoryInfo | None:
        """Lock a repository as :meth:`Database.lock_repository` does, and return it.

        :return: the current repository, or None if it has been deleted.
        """
        return self._lock(self._statements.locking, key=repository_id)

    def _lock(
        self, statement: sa.Select[t.Any], **values: t.Any
    ) -> RepositoryInfo | None:
        """Lock a repository whose content will change, and return it."""
        row = self._db.execute(statement, values).first()
        if row is None:
            return None
        *columns, is_marked = row
        found = RepositoryInfo(*columns)
        if not is_marked:
            self._db.mark_repository(found.key)
        return found

    def change(
        self,
        repository: RepositoryRef,
        *,
        new_name: str | None = None,
        check_room: Callable[[t.Any, RepositoryInfo, str], object] | None = None,
        by: t.Any = None,
        **values: t.Any,
    ) -> RepositoryInfo:
        """Rename a repository, set some of its columns, or both.

        A new name in the namespace of another user makes that user the owner, as after
        a first push, unless ``owner_id`` is set.

        :param check_room: may refuse a new owner or name, under locks. Its arguments
            are the key of the owner, the repository and the name.
        :param by: the key of the user who makes the change.
        :param values: the columns to set.
        :return: the repository, with its new name and owner.
        :raises NameUnknown: if it does not exist, or its name or owner has changed.
        :raises ValueError: if the new name is taken.
        """

        def work() -> RepositoryInfo:
            found = self._as_it_is(repository)
            new = new_name or found.name
            is_named = new == found.name or "owner_id" in values
            adopted = {} if is_named else self._changes.adopted(found, new, by)
            owner_id = {**values, **adopted}.get("owner_id", found.owner_id)
            if check_room is not None:
                check_room(owner_id, found, new)
            if new == found.name:
                return self._changes.set(found, values, by)
            return self._changes.move(found, new, values, adopted, by=by)

        def owners() -> list[t.Any]:
            new = "" if new_name is None else namespace_of(new_name)
            return [values.get("owner_id"), self._users.owner_of_namespace(new)]

        return self._db.write(work, by=by, users=owners, exclusive=bool(check_room))

    def delete(self, repository: RepositoryRef, *, by: t.Any = None) -> None:
        """Delete a repository with all its records.

        Garbage collection deletes its blobs when they have been unneeded for the grace
        period.

        :param by: the key of the user who makes the change.
        :raises NameUnknown: if it does not exist, or its name or owner has changed.
        """

        def work() -> None:
            found = self._as_it_is(repository)
            self._db.record_change(
                Change(
                    kind=REPOSITORY_DELETED,
                    repository=found.name,
                    repository_id=found.key,
                    by=by,
                )
            )
            delete_contents(self._db, found.key)
            table = self._db.models.Repository.__table__
            self._db.execute(sa.delete(table).where(table.c.id == found.key))
            self._db.add_to_totals(repositories=-1)
            owner_usage.expire(self._db, found.owner_id)

        self._db.write(work, by=by)

    def _as_it_is(self, wanted: RepositoryRef) -> RepositoryInfo:
        """Lock a repository and return it, within a transaction.

        It must still have the name and the owner for which the caller was authorized,
        because the caller may not change another repository of the same name.

        :raises NameUnknown: if it does not exist, or its name or owner has changed.
        """
        found = wanted if isinstance(wanted, RepositoryInfo) else self.get(wanted)
        now = self.lock(found.key)
        if now is None or (now.name, now.owner_id) != (found.name, found.owner_id):
            raise NameUnknown(detail=found.name)
        return now

    def rename(
        self,
        names: dict[str, str],
        within_transaction: Callable[[], object] | None = None,
        *,
        owned_by_id: t.Any = None,
        by: t.Any = None,
        **values: t.Any,
    ) -> dict[str, RepositoryInfo]:
        """Rename repositories in one transaction; the old names become aliases.

        If the owner of a repository moves it out of the owner's namespace into that of
        another user, the other user becomes the owner, as after a first push. All other
        owners stay.

        :param names: the new name of each repository by its old name; both may be the
            same. A repository must come before the one that takes its old name.
        :param within_transaction: a function to call in the same transaction.
        :param owned_by_id: the key of the user whose repositories are renamed; None
            renames those of all owners.
        :param by: the key of the user who makes the change.
        :param values: other columns to set.
        :return: the repositories with their new names and owners, by their old names.
        :raises ValueError: if a new name is taken.
        """

        def work() -> dict[str, RepositoryInfo]:
            self._changes.lock_for_renaming(
                names,
                [by, values.get("owner_id")],
                # The function may rename a user, which locks the row exclusively.
                exclusive=within_transaction is not None,
                by=by,
            )
            done = self._changes.rename_each(names, values, owned_by_id, by=by)
            if within_transaction is not None:
                within_transaction()
            return done

        return self._db.write(work)
