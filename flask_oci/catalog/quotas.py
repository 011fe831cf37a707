"""Quotas of repositories, paths and owners: their usage and enforcement."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ..robot_key import RobotKey
from ..robot_key import user_key
from ..rules.paths import path_text
from ..rules.paths import paths_of
from ..rules.quota import Quota
from ..rules.quota import QuotaExceeded
from ..rules.quota import QuotaUsage
from .database import Condition
from .database import Database
from .path_conditions import below
from .path_conditions import has_longer_path
from .repository_contents import only_attached
from .repository_info import RepositoryInfo
from .rules import RuleScope
from .users import Users

#: The maximum number of unfinished uploads that are counted.
UPLOADS: t.Final = 1000


class Site(t.NamedTuple):
    """The default quotas of the site."""

    owner: Quota = Quota()
    repository: Quota = Quota()

    @property
    def is_limit(self) -> bool:
        """Whether one of the quotas has a limit."""
        return self.owner.is_limit or self.repository.is_limit


class OpenSession(t.NamedTuple):
    """An unfinished upload session."""

    uuid: str
    user_id: t.Any
    """The key of the user or robot that started it. A robot's has no login name."""

    repository: RepositoryInfo


class Held(t.NamedTuple):
    """A quota's scope and its usage."""

    holder: RuleScope
    standing: QuotaUsage


class Quotas:
    """Measures the usage of repositories and owners, and enforces their quotas."""

    def __init__(self, database: Database, users: Users) -> None:
        self._db = database
        self._users = users
        self.site: t.Callable[[], Site] = Site

    def apply_to(self, repository: RepositoryInfo) -> bool:
        """Return True if a quota may apply to a repository. This executes no query."""
        return repository.is_limited or self.site().is_limit or not repository.exists

    def of(
        self, repository: RepositoryInfo, pusher_id: t.Any = None, *, lock: bool = False
    ) -> list[Held]:
        """Return the quotas that apply to a repository, which need not exist: its own,
        and that of the longest path or else of its owner.

        :param pusher_id: the key of the user who becomes the owner if the namespace
            belongs to no user.
        :param lock: whether to lock the quota rules until the transaction ends.
        """
        owner_id = repository.owner_id
        if not repository.exists:
            owner_id = self._users.owner_of_namespace(repository.namespace)
            owner_id = user_key(pusher_id) if owner_id is None else owner_id
        site, found = self.site(), []
        if repository.exists:
            own = RuleScope(repository_id=repository.id)
            stored = self._stored(own, lock)
            # The limits of the site are for what users push.
            default = Quota() if repository.upstream else site.repository
            found.append((own, repository.name, default if stored is None else stored))
        else:
            # The push creates this repository, so it is empty.
            found.append((RuleScope(repository_id=0), repository.name, site.repository))
        shared = self._shared(repository.name, owner_id, lock)
        if shared is not None:
            found.append(shared)
        return [
            Held(holder, self._measured(holder, called, quota))
            for holder, called, quota in found
            if quota.is_limit
        ]

    def _shared(
        self, name: str, owner_id: t.Any, lock: bool
    ) -> tuple[RuleScope, str, Quota] | None:
        """Return the scope, its name and the quota that a repository shares with
        others: that of the longest path, or else of its owner, if it has one.

        :param name: the name of the repository.
        """
        by_path = self._by_path(name, lock)
        if by_path is not None:
            path, quota = by_path
            return RuleScope(path=path), path_text(path), quota
        if owner_id is None:
            return None
        owners = RuleScope(owner_id=owner_id)
        called = self._users.names([owner_id]).get(owner_id, "The owner")
        stored = self._stored(owners, lock)
        return owners, called, self.site().owner if stored is None else stored

    def _by_path(self, name: str, lock: bool) -> tuple[str, Quota] | None:
        """Return the longest path that contains a repository and has a quota."""
        Rule = self._db.models.Rule.__table__
        statement = (
            sa.select(Rule.c.path, Rule.c.value)
            .where(Rule.c.kind == "quota", Rule.c.path.in_(paths_of(name)))
            .order_by(sa.func.length(Rule.c.path).desc())
            .limit(1)
        )
        row = self._db.session.execute(
            statement.with_for_update() if lock else statement
        ).first()
        return None if row is None else (row.path, Quota.read(row.value))

    def standing(self, holder: RuleScope, name: str) -> QuotaUsage:
        """Return the quota usage of a repository, a path or an owner.

        :param name: the name of the repository, the path or the owner.
        """
        stored, site = self._stored(holder), self.site()
        default = site.owner if holder.repository_id is None else site.repository
        if holder.path is not None:
            default = Quota()
        most = default if stored is None else stored
        return self._measured(holder, name, most)

    @contextmanager
    def within(self, repository: RepositoryInfo) -> Iterator[None]:
        """Enforce the quotas of a repository on the changes made in this context.

        The context must be within a transaction. If a quota is set, other transactions
        that change content under the quota wait for this one.

        :raises QuotaExceeded: at the end, if the changes exceed a quota.
        """
        if not self.apply_to(repository):
            yield
            return
        before = self.of(repository, lock=True)
        yield
        for held in before:
            then = held.standing
            self._measured(held.holder, then.name, then.quota).check(then)

    def has_room_for(
        self, user: t.Any, given: RepositoryInfo, new_name: str | None = None
    ) -> bool:
        """Return True if a repository can get a new owner or a new name without
        exceeding the quota that counts it then.

        The new owner did not ask for the repository, and could otherwise push no more.

        :param user: the owner after the change, one of the host's users; None keeps the
            owner.
        :param given: the repository to transfer or rename.
        :param new_name: the name after the change; None keeps the name.
        """
        owner_id = given.owner_id if user is None else self._users.key_of(user)
        usage = self._with(owner_id, given, new_name or given.name)
        return usage is None or not usage.is_too_much

    def check_room(self, owner_id: t.Any, given: RepositoryInfo, new_name: str) -> None:
        """Check that a repository can get a new owner or a new name without exceeding
        the quota that counts it then, within the transaction that changes it.

        The transaction must have locked the user against every other lock, and then the
        repository. Other changes under the quota wait for it.

        :param owner_id: the key of the owner after the change.
        :param given: the repository to transfer or rename.
        :param new_name: the name after the change.
        :raises QuotaExceeded: if the quota has no room for the repository.
        """
        usage = self._with(owner_id, given, new_name, lock=True)
        if usage is not None and usage.is_too_much:
            raise QuotaExceeded(
                "The repository exceeds the quota of its new owner or path.",
                detail=usage.name,
            )

    def _with(
        self, owner_id: t.Any, given: RepositoryInfo, new_name: str, lock: bool = False
    ) -> QuotaUsage | None:
        """Return the usage of the quota that counts a repository after a change, or
        None if that quota counts it before."""
        after = self._shared(new_name, owner_id, lock)
        before = self._shared(given.name, given.owner_id, lock=False)
        if after is None or (before is not None and before[0] == after[0]):
            return None
        scope, name, quota = after
        own = RuleScope(repository_id=given.id)
        return self._measured(scope, name, quota, own)

    def uploads(self, holder: RuleScope) -> list[OpenSession]:
        """Return the unfinished upload sessions, the latest first."""
        Upload, Repository = self._db.models.Upload, self._db.models.Repository
        rows = self._db.session.execute(
            sa.select(
                Upload.uuid,
                Upload.user_id,
                Upload.robot_id,
                Repository.name,
                Repository.id,
                Repository.owner_id,
                Repository.visibility,
                Repository.upstream,
            )
            .join(Repository, Repository.id == Upload.repository_id)
            .where(self.counted_for(holder))
            .order_by(Upload.started_at.desc())
            .limit(UPLOADS)
        )
        return [
            OpenSession(
                uuid,
                user_id if robot_id is None else RobotKey(robot_id, ""),
                RepositoryInfo(*repository),
            )
            for uuid, user_id, robot_id, *repository in rows
        ]

    def _stored(self, holder: RuleScope, lock: bool = False) -> Quota | None:
        """Return the quota that is set for this scope, or None."""
        Rule = self._db.models.Rule.__table__
        column, key = holder.column
        statement = sa.select(Rule.c.value).where(
            Rule.c.kind == "quota", Rule.c[column] == key
        )
        value = self._db.session.scalar(
            statement.with_for_update() if lock else statement
        )
        return None if value is None else Quota.read(value)

    def _measured(
        self,
        holder: RuleScope,
        name: str,
        quota: Quota,
        another: RuleScope | None = None,
    ) -> QuotaUsage:
        """Return the usage of a quota.

        :param another: a scope to measure with it. A layer in both counts once.
        """
        models, mine = self._db.models, self.counted_for(holder)
        if another is not None:
            mine = sa.or_(mine, self.counted_for(another))
        Repository, Blob, Link = models.Repository, models.Blob, models.RepositoryBlob
        Manifest, Tag, Deleted = models.Manifest, models.Tag, models.DeletedManifest
        # With "exists" instead of "in", some databases scan all blobs.
        linked = sa.select(Link.blob_id).where(
            Link.repository_id == Repository.id, mine
        )
        blobs = sa.select(sa.func.sum(Blob.size)).where(Blob.id.in_(linked))
        manifests = sa.select(sa.func.sum(Manifest.size)).where(
            Manifest.repository_id == Repository.id, mine
        )
        # A manifest that can be restored is still stored, but is not counted twice.
        restorable = sa.select(sa.func.sum(sa.func.length(Deleted.content))).where(
            Deleted.repository_id == Repository.id,
            mine,
            ~sa.exists().where(
                Manifest.repository_id == Deleted.repository_id,
                Manifest.digest == Deleted.digest,
            ),
        )
        images = sa.select(sa.func.count(sa.distinct(Tag.manifest_id))).where(
            Tag.repository_id == Repository.id, mine, sa.not_(only_attached(Tag.name))
        )
        row = self._db.session.execute(
            sa.select(
                blobs.scalar_subquery(),
                manifests.scalar_subquery(),
                restorable.scalar_subquery(),
                images.scalar_subquery(),
            )
        ).one()
        # MariaDB returns the sum of integers as a decimal.
        stored = sum(int(size or 0) for size in row[:3])
        return QuotaUsage(
            name, quota, stored, int(row[3]), holder.path, holder.owner_id
        )

    def counted_for(self, holder: RuleScope) -> Condition:
        """Return the condition for the repositories that a quota counts.

        The quota of the longest path counts a repository; that of its owner counts it
        only if no path with a quota contains it.
        """
        models = self._db.models
        Repository = models.Repository
        if holder.repository_id is not None:
            return Repository.id == holder.repository_id
        longer = has_longer_path(models, "quota", holder.path or "")
        if holder.path is not None:
            return sa.and_(below(Repository.name, holder.path), sa.not_(longer))
        owned: Condition = Repository.owner_id == holder.owner_id
        return sa.and_(owned, sa.not_(longer))
