"""Table models, bound to the metadata of a host."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase

from .activity import RepositoryDay
from .blocks import Block
from .bucket_uploads import BucketUpload
from .columns import UserKey
from .credentials import Credential
from .credentials import LoginFailure
from .credentials import Revocation
from .events import Event
from .jobs import Job
from .manifests import DeletedManifest
from .manifests import DeletedReference
from .manifests import Manifest
from .manifests import ManifestReference
from .manifests import Tag
from .manifests import TagMove
from .nodes import Node
from .publishers import IdentityUse
from .publishers import Publisher
from .repositories import Blob
from .repositories import Repository
from .repositories import RepositoryAlias
from .repositories import RepositoryBlob
from .robots import Robot
from .rules import Rule
from .scans import Scan
from .storage import Discarded
from .storage import StorageFolder
from .totals import OwnerUsage
from .totals import Total
from .trust import Attachment
from .trust import TrustedSigner
from .uploads import Upload
from .upstreams import UpstreamCheck
from .upstreams import UpstreamFetch
from .upstreams import UpstreamState
from .webhooks import Delivery
from .webhooks import DeliveryAttempt
from .webhooks import Webhook

#: The records, each after those that its foreign keys refer to.
RECORDS: t.Final = (
    Repository,
    Blob,
    RepositoryBlob,
    Manifest,
    ManifestReference,
    Tag,
    TagMove,
    DeletedManifest,
    DeletedReference,
    Upload,
    RepositoryAlias,
    RepositoryDay,
    Robot,
    Publisher,
    IdentityUse,
    Credential,
    Revocation,
    LoginFailure,
    Event,
    Rule,
    Block,
    TrustedSigner,
    Attachment,
    Scan,
    Webhook,
    Delivery,
    DeliveryAttempt,
    StorageFolder,
    Discarded,
    BucketUpload,
    Job,
    UpstreamCheck,
    UpstreamFetch,
    UpstreamState,
    Total,
    OwnerUsage,
    Node,
)


@dataclass(frozen=True)
class Models:
    """The table models of one host."""

    User: type[t.Any]
    Repository: type[Repository]
    Blob: type[Blob]
    RepositoryBlob: type[RepositoryBlob]
    Manifest: type[Manifest]
    ManifestReference: type[ManifestReference]
    Tag: type[Tag]
    TagMove: type[TagMove]
    DeletedManifest: type[DeletedManifest]
    DeletedReference: type[DeletedReference]
    Upload: type[Upload]
    RepositoryAlias: type[RepositoryAlias]
    RepositoryDay: type[RepositoryDay]
    Robot: type[Robot]
    Publisher: type[Publisher]
    IdentityUse: type[IdentityUse]
    Credential: type[Credential]
    Revocation: type[Revocation]
    LoginFailure: type[LoginFailure]
    Event: type[Event]
    Rule: type[Rule]
    Block: type[Block]
    TrustedSigner: type[TrustedSigner]
    Attachment: type[Attachment]
    Scan: type[Scan]
    Webhook: type[Webhook]
    Delivery: type[Delivery]
    DeliveryAttempt: type[DeliveryAttempt]
    StorageFolder: type[StorageFolder]
    Discarded: type[Discarded]
    BucketUpload: type[BucketUpload]
    Job: type[Job]
    UpstreamCheck: type[UpstreamCheck]
    UpstreamFetch: type[UpstreamFetch]
    UpstreamState: type[UpstreamState]
    Total: type[Total]
    OwnerUsage: type[OwnerUsage]
    Node: type[Node]

    @property
    def user_key(self) -> sa.Column[t.Any]:
        """The primary key of the host's user table."""
        (key,) = sa.inspect(self.User).primary_key
        return t.cast("sa.Column[t.Any]", key)

    def tables(self) -> list[sa.Table]:
        """Return the registry's tables."""
        return [getattr(self, record.__name__).__table__ for record in RECORDS]

    @classmethod
    def bind(
        cls, user_model: type[t.Any], metadata: sa.MetaData | None = None
    ) -> Models:
        """Return the models for a host.

        :param user_model: the mapped class of the host's users. The registry's rows
            refer to its primary key, which may have any name and type.
        :param metadata: the metadata of the tables. None is the metadata of the user
            table.
        :raises TypeError: if it is not a mapped class with a primary key of one column.
        """
        mapper = sa.inspect(user_model, raiseerr=False)
        if mapper is None or len(mapper.primary_key) != 1:
            raise TypeError(
                f"Registry(db, User) needs a mapped user class whose primary key is"
                f" one column, and {user_model!r} is not one. Pass the model that"
                " your user_loader returns."
            )
        (key,) = mapper.primary_key
        base = type(
            "Base",
            (DeclarativeBase,),
            {
                "metadata": _in_database_of(key.table.metadata, metadata),
                "user_key": UserKey(key),
                "__module__": __name__,
            },
        )

        def bound(record: type[t.Any]) -> type[t.Any]:
            return type(record.__name__, (record, base), {"__module__": __name__})

        return cls(user_model, **{record.__name__: bound(record) for record in RECORDS})


def _in_database_of(host: sa.MetaData, own: sa.MetaData | None) -> sa.MetaData:
    """Return the metadata of the registry's tables, with the bind key of the host's.

    Flask-SQLAlchemy finds the database of a table by this key.
    """
    if own is None:
        return host
    if "bind_key" in host.info:
        own.info.setdefault("bind_key", host.info["bind_key"])
    return own
