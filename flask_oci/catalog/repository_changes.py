"""Repository changes within a transaction: new names, owners and visibilities."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from functools import partial

import sqlalchemy as sa

from ..changes import Change
from ..changes import REPOSITORY_RENAMED
from ..changes import REPOSITORY_SHOWN
from ..changes import REPOSITORY_TRANSFERRED
from ..errors import UserDeleted
from ..rules.visibility import PRIVATE
from . import owner_usage
from .database import Database
from .repository_info import check_writable
from .repository_info import namespace_of
from .repository_info import RepositoryInfo
from .repository_statements import lock_repositories
from .users import Users

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Collection

#: The kinds of rules that the users who may manage a repository set. A quota is set by
#: the operator, and stays.
_RULES_OF_MANAGERS: t.Final = ("protect", "retain", "policy")


class RepositoryChanges:
    """Changes repositories that the current transaction has found.

    :param find: returns the repository of a name.
    :param upstreams: returns the namespaces of upstreams.
    """

    def __init__(
        self,
        database: Database,
        users: Users,
        find: Callable[[str], RepositoryInfo],
        upstreams: Callable[[], Collection[str]],
    ) -> None:
        self._db = database
        self._users = users
        self._find = find
        self._upstreams = upstreams

    def adopted(self, found: RepositoryInfo, new: str, by: t.Any) -> dict[str, t.Any]:
        """Return the columns that change because a new name is in the namespace of a
        user, who becomes the owner. It is empty if the user owns the repository, unless
        another user moves it there.

        The result is like a repository that a first push creates: private, and without
        the rules that its former owner may have set.

        :param by: the key of the user who makes the change; None is the operator.
        """
        owner_id = self._users.owner_of_namespace(namespace_of(new))
        if owner_id is None:
            return {}
        is_moved = namespace_of(new) != found.namespace and by not in (None, owner_id)
        if owner_id == found.owner_id and not is_moved:
            return {}
        return {"owner_id": owner_id, "visibility": PRIVATE}

    def given(self, found: RepositoryInfo, new: str, by: t.Any) -> dict[str, t.Any]:
        """Return the same for a repository whose owner gives it away.

        A repository of another owner in the renamed namespace keeps its owner, because
        a user who renames a namespace must not get the images of others in it.
        """
        owner_id = found.owner_id
        if namespace_of(new) == found.namespace:
            return {}
        namespaces = (found.namespace, namespace_of(new))
        if owner_id in (None, by, *map(self._users.owner_of_namespace, namespaces)):
            return self.adopted(found, new, by)
        return {}

    def move(
        self,
        found: RepositoryInfo,
        new: str,
        values: dict[str, t.Any],
        adopted: dict[str, t.Any],
        *,
        by: t.Any,
    ) -> RepositoryInfo:
        """Rename a repository and set some of its columns.

        Its old name becomes an alias, unless the alias would be in the namespace of an
        uninvolved user.

        :param values: the columns to set.
        :param adopted: the columns that a new owner by :meth:`adopted` changes.
        :return: the repository with the new values.
        :raises ValueError: if the new name is taken.
        :raises Denied: if it caches an upstream, or the new name is in the namespace of
            one.
        """
        check_writable(found, ())
        check_writable(RepositoryInfo(new), self._upstreams())
        if self._find(new).exists:
            raise ValueError(f"A repository named {new} already exists.")
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
        changed = {**values, **adopted}
        if self._may_serve(found.name, changed.get("owner_id", found.owner_id), by):
            self._db.upsert(Alias, {"name": found.name}, repository_id=found.id)
        if adopted:
            self._delete_rules(found)
        return self.set(replace(found, name=new), changed, by)

    def lock_for_renaming(
        self,
        names: dict[str, str],
        user_ids: list[t.Any],
        *,
        exclusive: bool,
        by: t.Any,
    ) -> None:
        """Lock the repositories that :meth:`rename_each` renames, and the users whose
        repositories or namespaces change.

        :param user_ids: the keys of further users to lock.
        :param exclusive: whether the users may change in the transaction.
        :raises UserDeleted: if the user who makes the change has been deleted.
        """
        owners = [self._find(name).owner_id for name in names]
        owners += map(self._users.owner_of_namespace, map(namespace_of, names.values()))
        users = self._db.lock_users([*user_ids, *owners], exclusive=exclusive)
        if by is not None and by not in users:
            raise UserDeleted
        lock_repositories(self._db, self._db.models.Repository.name.in_(names))

    def rename_each(
        self,
        names: dict[str, str],
        values: dict[str, t.Any],
        owned_by_id: t.Any,
        *,
        by: t.Any,
    ) -> dict[str, RepositoryInfo]:
        """Rename locked repositories as :meth:`Repositories.rename` documents."""
        done = {}
        for old, new in names.items():
            found = self._find(old)
            if not found.exists or owned_by_id not in (None, found.owner_id):
                continue
            if old == new:
                done[old] = self.set(found, values, by)
                continue
            adopted = {}
            if "owner_id" not in values:
                adopted = self.given(found, new, by)
            done[old] = self.move(found, new, values, adopted, by=by)
        return done

    def _may_serve(self, old_name: str, owner_id: t.Any, by: t.Any) -> bool:
        """Return True if an old name may continue to serve a repository that gets a new
        name or owner.

        An alias serves the images of its repository in the namespace of the old name.
        The user of that namespace has to own the repository still, or to make the
        change; the operator may make it too.

        :param owner_id: the key of the owner after the change.
        """
        holder = self._users.owner_of_namespace(namespace_of(old_name))
        return holder is None or by is None or holder in (by, owner_id)

    def _delete_aliases(
        self, found: RepositoryInfo, owner_id: t.Any, by: t.Any
    ) -> None:
        """Delete the aliases of a repository that may not serve the images of its new
        owner, because the owner was another one when they were left."""
        columns = self._db.models.RepositoryAlias.__table__.c
        here = columns.repository_id == found.id
        names = self._db.execute(sa.select(columns.name).where(here)).scalars().all()
        spaces = {namespace_of(name) for name in names}
        refused = {s for s in spaces if not self._may_serve(s, owner_id, by)}
        wrong = [name for name in names if namespace_of(name) in refused]
        if wrong:
            table = self._db.models.RepositoryAlias.__table__
            self._db.execute(sa.delete(table).where(here, columns.name.in_(wrong)))

    def set(
        self, found: RepositoryInfo, values: dict[str, t.Any], by: t.Any
    ) -> RepositoryInfo:
        """Set columns of a repository.

        :return: the repository with the new values.
        """
        if not values:
            return found
        self._record(found, values, by)
        self._update(found, **values)
        if values.get("owner_id", found.owner_id) != found.owner_id:
            self._delete_aliases(found, values["owner_id"], by)
            owner_usage.expire(self._db, found.owner_id)
        known = ("owner_id", "visibility")
        return replace(found, **{k: v for k, v in values.items() if k in known})

    def _delete_rules(self, found: RepositoryInfo) -> None:
        rules = self._db.models.Rule.__table__
        self._db.execute(
            sa.delete(rules).where(
                rules.c.repository_id == found.id, rules.c.kind.in_(_RULES_OF_MANAGERS)
            )
        )
        signers = self._db.models.TrustedSigner.__table__
        self._db.execute(sa.delete(signers).where(signers.c.repository_id == found.id))

    def _update(self, found: RepositoryInfo, **values: t.Any) -> None:
        table = self._db.models.Repository.__table__
        self._db.session.execute(
            sa.update(table).where(table.c.id == found.id).values(**values)
        )

    def _record(
        self, found: RepositoryInfo, values: dict[str, t.Any], by: t.Any
    ) -> None:
        """Record the changes of the columns that have an event."""
        change = partial(Change, repository=found.name, repository_id=found.id, by=by)
        if "visibility" in values:
            shown = values["visibility"]
            self._db.record_change(change(kind=REPOSITORY_SHOWN, visibility=shown))
        if "owner_id" in values:
            key = values["owner_id"]
            owner = self._users.names([key]).get(key)
            self._db.record_change(change(kind=REPOSITORY_TRANSFERRED, owner=owner))
