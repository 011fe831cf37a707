"""Repository statements: lookups, locking, and deletion of a repository's records."""

from __future__ import annotations

import typing as t
from functools import cached_property

import sqlalchemy as sa

from ..clock import utcnow
from ..rules.visibility import PRIVATE
from .database import Condition
from .database import Database
from .models import Models
from .path_conditions import covers_by_index
from .path_conditions import path_applies
from .robot_statements import delete_logins


class RepositoryStatements:
    """Builds the statements of :class:`~.repositories.Repositories` once per host.

    :param models: the tables.
    """

    def __init__(self, models: Models) -> None:
        self._models = models

    @cached_property
    def pushing(self) -> sa.Update:
        """Set columns of the repository with a ``key``."""
        table = self._models.Repository.__table__
        return sa.update(table).where(table.c.id == sa.bindparam("key"))

    @cached_property
    def creating(self) -> sa.Insert:
        """Insert a repository with a ``name`` and an ``owner_id``, which is also the
        ``author_id`` of rules that apply to it. Its visibility is the default of the
        longest of its ``paths`` that has one, or else private."""
        table = self._models.Rule.__table__
        rules = table.c
        author_id: sa.BindParameter[t.Any] = sa.bindparam(
            "author_id", type_=rules.path_owner_id.type
        )
        default = (
            # The value is the text in JSON.
            sa.select(sa.func.replace(sa.cast(rules.value, sa.Text), '"', ""))
            .where(
                rules.kind == "visibility",
                rules.path.in_(sa.bindparam("paths", expanding=True)),
                path_applies(table, author_id),
            )
            .order_by(sa.func.length(rules.path).desc())
            .limit(1)
            .scalar_subquery()
        )
        return sa.insert(self._models.Repository.__table__).values(
            visibility=sa.func.coalesce(default, PRIVATE),
        )

    @cached_property
    def by_name(self) -> sa.Select[t.Any]:
        """Select the repository with a ``name``, and whether it has a quota."""
        columns = self._models.Repository.__table__.c
        return self._select_with_limits().where(columns.name == sa.bindparam("name"))

    @cached_property
    def ensuring(self) -> sa.Select[t.Any]:
        """Lock and select the repository with a ``name``, as :attr:`by_name` does, and
        whether the collection will visit it."""
        return self.by_name.add_columns(self._is_marked).with_for_update()

    @cached_property
    def locking(self) -> sa.Select[t.Any]:
        """Lock and select the repository with a ``key``, as :attr:`ensuring` does."""
        columns = self._models.Repository.__table__.c
        return (
            self._select_with_limits()
            .add_columns(self._is_marked)
            .where(columns.id == sa.bindparam("key"))
            .with_for_update()
        )

    @property
    def _is_marked(self) -> sa.ColumnElement[bool]:
        return self._models.Repository.__table__.c.collect_at.is_(None)

    def _select_with_limits(self) -> sa.Select[t.Any]:
        columns = self._models.Repository.__table__.c
        rules = self._models.Rule.__table__.c
        is_quota = rules.kind == "quota"
        limited = sa.or_(
            sa.exists().where(
                is_quota,
                sa.or_(
                    rules.repository_id == columns.id,
                    rules.owner_id == columns.owner_id,
                ),
            ),
            sa.exists().where(is_quota, covers_by_index(rules.path, columns.name)),
        )
        blocks = self._models.Block.__table__.c
        blocked = sa.exists().where(
            sa.or_(blocks.repository_id == columns.id, blocks.path.is_not(None))
        )
        return self.select().add_columns(
            limited,
            columns.pushed_at.is_not(None),
            blocked,
            has_policies(self._models, columns.id),
        )

    @cached_property
    def by_any_name(self) -> sa.Select[t.Any]:
        """Select the repository with a current or former ``name``."""
        # A single statement, so that the response time does not reveal whether a hidden
        # repository exists.
        columns = self._models.Repository.__table__.c
        aliases = self._models.RepositoryAlias.__table__.c
        name: sa.BindParameter[str] = sa.bindparam("name")
        old = sa.select(aliases.repository_id).where(aliases.name == name)
        return (
            self.select()
            .where(sa.or_(columns.name == name, columns.id == old.scalar_subquery()))
            .order_by(sa.case((columns.name == name, 0), else_=1))
            .limit(1)
        )

    def select(self) -> sa.Select[t.Any]:
        """Select the columns of :class:`RepositoryInfo`."""
        columns = self._models.Repository.__table__.c
        return sa.select(
            columns.name,
            columns.id,
            columns.owner_id,
            columns.visibility,
            columns.upstream,
        )


def has_policies(
    models: Models, repository_id: sa.ColumnElement[int]
) -> sa.ColumnElement[bool]:
    """Return the condition that an image policy is set for a repository, or for a path
    that contains it.

    :param repository_id: the column with the key of the repository.
    """
    rules = models.Rule.__table__.alias("policy").c
    of_paths = models.Rule.__table__.alias("policy_of_path")
    repository = models.Repository.__table__.alias("policy_repository")
    return sa.or_(
        sa.exists().where(rules.kind == "policy", rules.repository_id == repository_id),
        sa.exists().where(
            repository.c.id == repository_id,
            of_paths.c.kind == "policy",
            covers_by_index(of_paths.c.path, repository.c.name),
        ),
    )


def lock_repositories(database: Database, condition: Condition) -> None:
    """Lock the repositories that match a condition, in the order of their keys.

    The lock allows other transactions to write rows that refer to the repositories, as
    a push does.
    """
    database.execute(locking_repositories(database.models, condition))


def locking_repositories(models: Models, condition: Condition) -> sa.Select[t.Any]:
    """Return the query that locks the repositories which match a condition."""
    key = models.Repository.__table__.c.id
    statement = sa.select(key).where(condition).order_by(key)
    return statement.with_for_update(key_share=True)


def delete_contents(database: Database, repository_id: int) -> None:
    """Delete all records that belong to a repository, within a transaction."""
    models = database.models
    linked = sa.select(models.RepositoryBlob.blob_id).where(
        models.RepositoryBlob.repository_id == repository_id
    )
    manifests = sa.select(models.Manifest.id).where(
        models.Manifest.repository_id == repository_id
    )
    blobs = models.Blob.__table__.c.id
    database.execute(
        sa.select(blobs).where(blobs.in_(linked)).order_by(blobs).with_for_update()
    )
    database.execute(
        sa.update(models.Blob.__table__)
        .where(models.Blob.id.in_(linked))
        .values(unlinked_at=utcnow())
    )
    # SQLite cascades only if the host enables foreign keys per connection.
    database.execute(
        sa.delete(models.ManifestReference.__table__).where(
            models.ManifestReference.manifest_id.in_(manifests)
        )
    )
    deleted = models.DeletedManifest.__table__.c
    restorable = sa.select(deleted.id).where(deleted.repository_id == repository_id)
    needed = models.DeletedReference.__table__
    database.execute(sa.delete(needed).where(needed.c.deleted_id.in_(restorable)))
    delete_logins(database, models.Robot.__table__.c.repository_id == repository_id)
    for model in (
        models.Robot,
        models.Tag,
        models.TagMove,
        models.DeletedManifest,
        models.Manifest,
        models.RepositoryBlob,
        models.RepositoryAlias,
        models.RepositoryDay,
        models.Upload,
        models.Rule,
        models.UpstreamCheck,
        models.Block,
        models.TrustedSigner,
        models.Attachment,
        models.Scan,
    ):
        table = model.__table__
        database.execute(sa.delete(table).where(table.c.repository_id == repository_id))
