"""Quotas of repositories and owners: their usage and enforcement."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ..rules.quota import Quota
from ..rules.quota import QuotaExceeded
from ..rules.quota import QuotaUsage
from .database import Condition
from .database import Database
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
    """The key of the user who started it."""

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
        """Return the quotas that apply to a repository, which need not exist.

        :param pusher_id: the key of the user who becomes the owner if the namespace
            belongs to no user.
        :param lock: whether to lock the quota rules until the transaction ends.
        """
        owner_id = repository.owner_id
        if not repository.exists:
            owner_id = self._users.owner_of_namespace(repository.namespace)
            owner_id = pusher_id if owner_id is None else owner_id
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
        if owner_id is not None:
            owners = RuleScope(owner_id=owner_id)
            called = self._users.names([owner_id]).get(owner_id, "The owner")
            stored = self._stored(owners, lock)
            found.append((owners, called, site.owner if stored is None else stored))
        return [
            Held(holder, self._measured(self.counted_for(holder), called, quota))
            for holder, called, quota in found
            if quota.is_limit
        ]

    def standing(self, holder: RuleScope, name: str) -> QuotaUsage:
        """Return the quota usage of a repository or an owner.

        :param name: the name of the repository or the owner.
        """
        stored, site = self._stored(holder), self.site()
        default = site.owner if holder.repository_id is None else site.repository
        most = default if stored is None else stored
        return self._measured(self.counted_for(holder), name, most)

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
            then, mine = held.standing, self.counted_for(held.holder)
            self._measured(mine, then.name, then.quota).check(then)

    def has_room_for(self, user: t.Any, given: RepositoryInfo) -> bool:
        """Return True if a repository can be transferred to a user without exceeding
        the user's quota.

        The new owner did not ask for the repository, and could otherwise push no more.

        :param user: one of the host's users.
        :param given: the repository to transfer.
        """
        return not self._with(self._users.key_of(user), given).is_too_much

    def check_room(self, owner_id: t.Any, given: RepositoryInfo) -> None:
        """Check that a repository can be transferred to a user without exceeding the
        user's quota, within the transaction that transfers it.

        The transaction must have locked the user against every other lock, and then the
        repository. Other changes under the quota wait for it.

        :param owner_id: the key of the new owner.
        :param given: the repository to transfer.
        :raises QuotaExceeded: if the user's quota has no room for the repository.
        """
        usage = self._with(owner_id, given, lock=True)
        if usage.is_too_much:
            raise QuotaExceeded(
                "The repository exceeds the quota of the new owner.", detail=usage.name
            )

    def _with(
        self, owner_id: t.Any, given: RepositoryInfo, lock: bool = False
    ) -> QuotaUsage:
        """Return the quota usage of an owner who gets another repository."""
        owners = RuleScope(owner_id=owner_id)
        own = RuleScope(repository_id=given.id)
        stored = self._stored(owners, lock)
        # Both are measured together, because a layer in both counts once.
        both = sa.or_(self.counted_for(owners), self.counted_for(own))
        most = self.site().owner if stored is None else stored
        name = self._users.names([owner_id]).get(owner_id, "The owner")
        return self._measured(both, name, most)

    def uploads(self, holder: RuleScope) -> list[OpenSession]:
        """Return the unfinished upload sessions, the latest first."""
        Upload, Repository = self._db.models.Upload, self._db.models.Repository
        rows = self._db.session.execute(
            sa.select(
                Upload.uuid,
                Upload.user_id,
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
            OpenSession(uuid, user_id, RepositoryInfo(*repository))
            for uuid, user_id, *repository in rows
        ]

    def _stored(self, holder: RuleScope, lock: bool = False) -> Quota | None:
        """Return the quota that is set for this scope, or None."""
        Rule = self._db.models.Rule.__table__
        mine = Rule.c.owner_id == holder.owner_id
        if holder.repository_id is not None:
            mine = Rule.c.repository_id == holder.repository_id
        statement = sa.select(Rule.c.value).where(Rule.c.kind == "quota", mine)
        value = self._db.session.scalar(
            statement.with_for_update() if lock else statement
        )
        return None if value is None else Quota.read(value)

    def _measured(self, mine: Condition, name: str, quota: Quota) -> QuotaUsage:
        """Return the quota usage of the repositories that match a condition."""
        models = self._db.models
        Repository, Blob, Link = models.Repository, models.Blob, models.RepositoryBlob
        Manifest, Tag = models.Manifest, models.Tag
        # With "exists" instead of "in", some databases scan all blobs.
        linked = sa.select(Link.blob_id).where(
            Link.repository_id == Repository.id, mine
        )
        blobs = sa.select(sa.func.sum(Blob.size)).where(Blob.id.in_(linked))
        manifests = sa.select(sa.func.sum(Manifest.size)).where(
            Manifest.repository_id == Repository.id, mine
        )
        images = sa.select(sa.func.count(sa.distinct(Tag.manifest_id))).where(
            Tag.repository_id == Repository.id, mine, sa.not_(only_attached(Tag.name))
        )
        row = self._db.session.execute(
            sa.select(
                blobs.scalar_subquery(),
                manifests.scalar_subquery(),
                images.scalar_subquery(),
            )
        ).one()
        # MariaDB returns the sum of integers as a decimal.
        return QuotaUsage(name, quota, int(row[0] or 0) + int(row[1] or 0), int(row[2]))

    def counted_for(self, holder: RuleScope) -> Condition:
        """Return the condition for the repositories that a quota counts."""
        Repository = self._db.models.Repository
        if holder.repository_id is not None:
            return Repository.id == holder.repository_id
        owned: Condition = Repository.owner_id == holder.owner_id
        return owned
