"""Repositories: names, owners and who may see them."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from functools import cached_property
from functools import partial

import sqlalchemy as sa

from ..changes import Change
from ..changes import REPOSITORY_CREATED
from ..changes import REPOSITORY_DELETED
from ..changes import REPOSITORY_RENAMED
from ..changes import REPOSITORY_SHOWN
from ..changes import REPOSITORY_TRANSFERRED
from ..clock import utcnow
from ..errors import NameUnknown
from ..rules.visibility import INTERNAL
from ..rules.visibility import PUBLIC
from .database import Condition
from .database import Database
from .repository_info import name_of
from .repository_info import RepositoryInfo
from .repository_info import RepositoryRef
from .users import Users

if t.TYPE_CHECKING:
    from collections.abc import Callable


class Repositories:
    """Finds, makes, lists and changes repositories."""

    def __init__(self, database: Database, users: Users) -> None:
        self._db = database
        self._users = users

    def get(self, name: str) -> RepositoryInfo:
        """Return the repository of that name.

        :raises NameUnknown: when there is none.
        """
        repository = self.find(name)
        if not repository.exists:
            raise NameUnknown(detail=name)
        return repository

    def find(self, name: str, *, by_old_name: bool = False) -> RepositoryInfo:
        """Return the repository of that name, whether it exists or not.

        :param by_old_name: whether a name that it had before will do.
        """
        statement = self._by_any_name if by_old_name else self._by_name
        row = self._db.execute(statement, {"name": name}).first()
        return RepositoryInfo(*row) if row else RepositoryInfo(name)

    def ensure(self, wanted: RepositoryRef, pusher_id: t.Any) -> RepositoryInfo:
        """Make the repository if it is not there, within a transaction.

        It belongs to the user whose namespace it is in, or, where the
        namespace is nobody's, to who pushes.

        :return: the repository, with its key.
        :raises NameUnknown: when there was one that somebody was admitted to, and its
            name is free, or another's, by now.
        """
        found = self.find(name_of(wanted))
        admitted = wanted.id if isinstance(wanted, RepositoryInfo) else None
        if admitted is not None and found.id != admitted:
            raise NameUnknown(detail=found.name)
        return found if found.exists else self._make(found.name, pusher_id)

    def _make(self, name: str, pusher_id: t.Any) -> RepositoryInfo:
        Repository, Alias = self._db.models.Repository, self._db.models.RepositoryAlias
        change = Change(kind=REPOSITORY_CREATED, repository=name, by=pusher_id)
        self._db.record_change(change)
        owner_id = self._users.owner_of_namespace(name.partition("/")[0])
        owner_id = pusher_id if owner_id is None else owner_id
        # Where a rival has made it meanwhile, this fails, and the transaction, tried
        # again, finds it: it is told of once.
        made = self._db.execute(
            sa.insert(Repository.__table__), {"name": name, "owner_id": owner_id}
        )
        change.repository_id = key = t.cast(t.Any, made).inserted_primary_key[0]
        # Whoever takes a name, it leads to nothing else from now on.
        self._db.session.execute(sa.delete(Alias.__table__).where(Alias.name == name))
        # Nobody has looked yet.
        return RepositoryInfo(name, key, owner_id, is_limited=True)

    def push_to(self, repository_id: int) -> bool:
        """Remember that a manifest is pushed, within a transaction, which locks the
        repository as :meth:`Database.lock_repository` does.

        :return: False when the repository has been deleted meanwhile.
        """
        values = {"key": repository_id, "pushed_at": utcnow()}
        return bool(self._db.change(self._pushing, values))

    def lock(self, repository_id: int) -> RepositoryInfo | None:
        """Return a repository as it is, and stays until the transaction ends: it is
        locked as :meth:`Database.lock_repository` does.

        :return: None when it has been deleted meanwhile.
        """
        row = self._db.execute(self._locking, {"key": repository_id}).first()
        return RepositoryInfo(*row) if row else None

    def page(
        self, limit: int, last: str | None, condition: Condition | None
    ) -> list[RepositoryInfo]:
        """List repositories that hold a manifest, by name.

        :param limit: the maximum number of results.
        :param last: the name after which the page begins.
        :param condition: the repositories to list; None lists all.
        """
        Repository, Manifest = self._db.models.Repository, self._db.models.Manifest
        statement = (
            self._select()
            .where(sa.exists().where(Manifest.repository_id == Repository.id))
            .order_by(Repository.name)
            .limit(limit)
        )
        if last is not None:
            statement = statement.where(Repository.name > last)
        if condition is not None:
            statement = statement.where(condition)
        return [RepositoryInfo(*row) for row in self._db.session.execute(statement)]

    def readable_by(self, user_id: t.Any) -> Condition:
        """Return the condition of what a user may pull by the default policy."""
        Repository = self._db.models.Repository
        if user_id is None:
            return Repository.visibility == PUBLIC
        return sa.or_(
            Repository.visibility.in_((PUBLIC, INTERNAL)),
            Repository.owner_id == user_id,
        )

    def owned_by(self, user_id: t.Any) -> Condition:
        """Return the condition of what belongs to a user."""
        return t.cast(Condition, self._db.models.Repository.owner_id == user_id)

    def path_filter(self, path: t.Any) -> Condition:
        """Return the condition of the repository of that name, and of those whose
        names begin with it and a slash.

        :param path: a text, or one in SQL, such as a column.
        """
        name = self._db.models.Repository.name
        # Names compare bytewise, and "0" is what comes after "/": an index finds these.
        return sa.or_(name == path, sa.and_(name > path + "/", name < path + "0"))

    def nothing(self) -> Condition:
        """Return the condition of no repository."""
        return sa.false()

    def all_below(self, path: str) -> list[RepositoryInfo]:
        """List the repositories that :meth:`below` finds, by name."""
        rows = self._db.session.execute(
            self._select()
            .where(self.path_filter(path))
            .order_by(self._db.models.Repository.name)
        )
        return [RepositoryInfo(*row) for row in rows]

    def change(
        self,
        repository: RepositoryRef,
        *,
        new_name: str | None = None,
        by: t.Any = None,
        **values: t.Any,
    ) -> RepositoryInfo:
        """Rename a repository, set some of its columns, or both.

        :param by: the key of the user who makes the change.
        :return: it, under the name that it has then.
        :raises NameUnknown: when it is not, or no longer, what is meant.
        :raises ValueError: when somebody has the new name already.
        """

        def work() -> RepositoryInfo:
            found = self._as_it_is(repository)
            if new_name is not None and new_name != found.name:
                found = self._move(found, new_name, by)
            if values:
                self._set(found, values, by)
            return found

        return self._db.write(work)

    def delete(self, repository: RepositoryRef, *, by: t.Any = None) -> None:
        """Delete a repository with all that is recorded about it.

        Blobs stay until the collection finds that nothing needs them, and that nothing
        has for the grace period.

        :param by: the key of the user who makes the change.
        :raises NameUnknown: when it is not, or no longer, what is meant.
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
            self._empty(found.key)
            table = self._db.models.Repository.__table__
            self._db.execute(sa.delete(table).where(table.c.id == found.key))

        self._db.write(work)

    def _as_it_is(self, wanted: RepositoryRef) -> RepositoryInfo:
        """Return a repository as it is, and stays until the transaction ends.

        What somebody was admitted to has to be the same, still called the same and
        owned by the same: whatever has got its name since is not theirs to change.
        """
        found = wanted if isinstance(wanted, RepositoryInfo) else self.get(wanted)
        now = self.lock(found.key)
        if now is None or (now.name, now.owner_id) != (found.name, found.owner_id):
            raise NameUnknown(detail=found.name)
        return now

    def _empty(self, repository_id: int) -> None:
        """Delete all that is recorded about a repository, within a transaction."""
        models = self._db.models
        linked = sa.select(models.RepositoryBlob.blob_id).where(
            models.RepositoryBlob.repository_id == repository_id
        )
        manifests = sa.select(models.Manifest.id).where(
            models.Manifest.repository_id == repository_id
        )
        self._db.execute(
            sa.update(models.Blob.__table__)
            .where(models.Blob.id.in_(linked))
            .values(unlinked_at=utcnow())
        )
        # SQLite cascades only if the host enables foreign keys per connection.
        self._db.execute(
            sa.delete(models.ManifestReference.__table__).where(
                models.ManifestReference.manifest_id.in_(manifests)
            )
        )
        for model in (
            models.Tag,
            models.TagMove,
            models.Manifest,
            models.RepositoryBlob,
            models.RepositoryAlias,
            models.Upload,
            models.Rule,
        ):
            table = model.__table__
            self._db.execute(
                sa.delete(table).where(table.c.repository_id == repository_id)
            )

    def rename(
        self,
        names: dict[str, str],
        within_transaction: Callable[[], object] | None = None,
        *,
        by: t.Any = None,
        **values: t.Any,
    ) -> None:
        """Give repositories other names, all or none; the old ones lead to them.

        :param names: the new name of each old one, which may be the same one. Where
            one is another's new name, that one comes first.
        :param within_transaction: does what belongs to it, in the same transaction.
        :param by: the key of the user who makes the change.
        :param values: other columns to set.
        :raises ValueError: when somebody has a new name already.
        """

        def work() -> None:
            for old, new in names.items():
                found = self.find(old)
                if found.exists and old != new:
                    found = self._move(found, new, by)
                if found.exists and values:
                    self._set(found, values, by)
            if within_transaction is not None:
                within_transaction()

        self._db.write(work)

    def _move(self, found: RepositoryInfo, new: str, by: t.Any) -> RepositoryInfo:
        if self.find(new).exists:
            raise ValueError(f"There is a repository named {new} already.")
        Alias = self._db.models.RepositoryAlias
        self._db.record_change(
            Change(
                kind=REPOSITORY_RENAMED,
                repository=new,
                repository_id=found.id,
                former_name=found.name,
                by=by,
            )
        )
        self._update(found, name=new)
        self._db.session.execute(sa.delete(Alias.__table__).where(Alias.name == new))
        self._db.upsert(Alias, {"name": found.name}, repository_id=found.id)
        return replace(found, name=new)

    def _set(
        self, repository: RepositoryInfo, values: dict[str, t.Any], by: t.Any
    ) -> None:
        self._tell(repository, values, by)
        self._update(repository, **values)

    def _update(self, repository: RepositoryInfo, **values: t.Any) -> None:
        table = self._db.models.Repository.__table__
        self._db.session.execute(
            sa.update(table).where(table.c.id == repository.id).values(**values)
        )

    def _tell(
        self, repository: RepositoryInfo, values: dict[str, t.Any], by: t.Any
    ) -> None:
        """Tell of those columns that mean something to others."""
        change = partial(
            Change, repository=repository.name, repository_id=repository.id, by=by
        )
        if "visibility" in values:
            shown = values["visibility"]
            self._db.record_change(change(kind=REPOSITORY_SHOWN, visibility=shown))
        if "owner_id" in values:
            key = values["owner_id"]
            owner = self._users.names([key]).get(key)
            self._db.record_change(change(kind=REPOSITORY_TRANSFERRED, owner=owner))

    @cached_property
    def _pushing(self) -> sa.Update:
        table = self._db.models.Repository.__table__
        return sa.update(table).where(table.c.id == sa.bindparam("key"))

    @cached_property
    def _by_name(self) -> sa.Select[t.Any]:
        columns = self._db.models.Repository.__table__.c
        return self._select_with_limits().where(columns.name == sa.bindparam("name"))

    @cached_property
    def _locking(self) -> sa.Select[t.Any]:
        columns = self._db.models.Repository.__table__.c
        return (
            self._select_with_limits()
            .where(columns.id == sa.bindparam("key"))
            .with_for_update()
        )

    def _select_with_limits(self) -> sa.Select[t.Any]:
        columns = self._db.models.Repository.__table__.c
        rules = self._db.models.Rule.__table__.c
        limited = sa.exists().where(
            rules.kind == "quota",
            sa.or_(
                rules.repository_id == columns.id, rules.owner_id == columns.owner_id
            ),
        )
        return self._select().add_columns(limited)

    @cached_property
    def _by_any_name(self) -> sa.Select[t.Any]:
        # One statement whatever there is: what is hidden must not take longer,
        # or shorter, than what is missing.
        columns = self._db.models.Repository.__table__.c
        aliases = self._db.models.RepositoryAlias.__table__.c
        name: sa.BindParameter[str] = sa.bindparam("name")
        old = sa.select(aliases.repository_id).where(aliases.name == name)
        return (
            self._select()
            .where(sa.or_(columns.name == name, columns.id == old.scalar_subquery()))
            .order_by(sa.case((columns.name == name, 0), else_=1))
            .limit(1)
        )

    def _select(self) -> sa.Select[t.Any]:
        columns = self._db.models.Repository.__table__.c
        return sa.select(columns.name, columns.id, columns.owner_id, columns.visibility)
