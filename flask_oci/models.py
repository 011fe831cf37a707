"""The tables.

Each record is a plain annotated class. :meth:`Models.bind` joins them to a
declarative base of their own whose metadata is the host's, so that
``db.create_all()`` and ``flask db migrate`` see them, and the host's base class
stays out of them.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from datetime import timezone

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import declared_attr
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

PRIVATE: t.Final = "private"
INTERNAL: t.Final = "internal"
PUBLIC: t.Final = "public"

#: Who may pull: the owner, every signed-in user, or anybody.
VISIBILITIES: t.Final = (PRIVATE, INTERNAL, PUBLIC)

#: The longest digest is that of sha512: "sha512:" and 128 digits.
DIGEST_LENGTH: t.Final = 135

_EPOCH: t.Final = datetime(1970, 1, 1, tzinfo=timezone.utc)

#: MySQL chooses the size of a binary column by its length, and its smallest
#: one would not hold a manifest.
CONTENT_LENGTH: t.Final = 2**24 - 1


def utcnow() -> datetime:
    """The present moment, with its time zone."""
    return datetime.now(timezone.utc)


def microseconds(moment: datetime) -> int:
    """Return how many microseconds after 1970 a moment is. Not every database keeps
    less than a second."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def as_utc(moment: datetime) -> datetime:
    """Give a moment from the database its time zone back; not every database
    keeps it."""
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _bytewise(length: int) -> sa.types.TypeEngine[str]:
    """A string that is compared byte by byte on every database.

    Tags are case-sensitive and listed "in lexical order" (spec.md, "Listing
    Tags"), whatever language the database was set up for.
    """
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")
    )


class Record:
    """What every table shares. :meth:`Models.bind` supplies the attributes."""

    user_key: t.ClassVar[str]
    __table__: t.ClassVar[sa.Table]

    @staticmethod
    def _user_id(key: str, ondelete: str) -> Mapped[t.Any]:
        # The column has no type of its own: it takes that of the host's key.
        return mapped_column(
            sa.ForeignKey(key, ondelete=ondelete), index=True, nullable=True
        )


class Repository(Record):
    """A named collection of manifests."""

    __tablename__ = "oci_repository"
    # SQLite gives the number of a deleted row away again, unless it is told not to.
    # Somebody's request may still be about the repository that had it.
    __table_args__: t.ClassVar[t.Any] = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)
    name: Mapped[str] = mapped_column(_bytewise(255), unique=True)
    visibility: Mapped[str] = mapped_column(sa.String(16), default=PRIVATE)
    description: Mapped[str | None] = mapped_column(sa.Text)
    """What its people say about it on its page, in Markdown."""

    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )
    pushed_at: Mapped[datetime | None] = mapped_column(
        sa.DateTime(timezone=True), index=True
    )
    """When a manifest was last pushed to it."""

    @declared_attr
    def owner_id(cls) -> Mapped[t.Any]:
        """Whose it is. Deleting a user leaves the images, to nobody."""
        return cls._user_id(cls.user_key, "SET NULL")


class Blob(Record):
    """Bytes that are stored once, whatever number of repositories link them."""

    __tablename__ = "oci_blob"

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)
    digest: Mapped[str] = mapped_column(_bytewise(DIGEST_LENGTH), unique=True)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )
    unlinked_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    """When somebody last deleted it from a repository."""


class RepositoryBlob(Record):
    """That a repository may read a blob, because it was pushed or mounted there."""

    __tablename__ = "oci_repository_blob"

    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"), primary_key=True
    )
    blob_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_blob.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    leased_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )
    """When a client was last told that it need not push the blob again, or a
    manifest that needed it was deleted."""


class Manifest(Record):
    """The exact bytes of a manifest, and what is asked about it without reading
    them."""

    __tablename__ = "oci_manifest"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[t.Any, ...]:
        # Made anew for each host: a constraint belongs to one table.
        return (
            sa.UniqueConstraint("repository_id", "digest"),
            sa.Index(
                "ix_oci_manifest_subject", "repository_id", "subject_digest", "digest"
            ),
        )

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)
    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE")
    )
    digest: Mapped[str] = mapped_column(_bytewise(DIGEST_LENGTH))
    media_type: Mapped[str] = mapped_column(sa.String(255))
    artifact_type: Mapped[str | None] = mapped_column(_bytewise(255))
    subject_digest: Mapped[str | None] = mapped_column(_bytewise(DIGEST_LENGTH))
    annotations: Mapped[dict[str, str] | None] = mapped_column(
        sa.JSON(none_as_null=True)
    )
    size: Mapped[int] = mapped_column(sa.Integer)
    content: Mapped[bytes] = mapped_column(sa.LargeBinary(CONTENT_LENGTH))
    pushed_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )
    touched_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )
    """When it was last pushed, a tag was last taken from it, or a client was last
    told that it need not push it again."""

    @declared_attr
    def pushed_by_id(cls) -> Mapped[t.Any]:
        """Who pushed it first."""
        return cls._user_id(cls.user_key, "SET NULL")


class ManifestReference(Record):
    """One descriptor of a manifest: a config, a layer or a child."""

    __tablename__ = "oci_manifest_reference"

    manifest_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_manifest.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(sa.String(16))
    digest: Mapped[str] = mapped_column(_bytewise(DIGEST_LENGTH), index=True)
    media_type: Mapped[str] = mapped_column(sa.String(255))
    size: Mapped[int] = mapped_column(sa.BigInteger)


class Tag(Record):
    """A name for a manifest that can be moved to another one."""

    __tablename__ = "oci_tag"

    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(_bytewise(128), primary_key=True)
    manifest_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_manifest.id", ondelete="CASCADE"), index=True
    )
    updated_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )


class TagMove(Record):
    """That somebody pointed a tag at another manifest, made it, or took it away."""

    __tablename__ = "oci_tag_move"

    @declared_attr.directive
    def __table_args__(cls) -> tuple[t.Any, ...]:
        return (sa.Index("ix_oci_tag_move_name", "repository_id", "name", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)
    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE")
    )
    name: Mapped[str] = mapped_column(_bytewise(128))
    # Digests and not keys: a move is remembered when what it is about has gone.
    from_digest: Mapped[str | None] = mapped_column(_bytewise(DIGEST_LENGTH))
    to_digest: Mapped[str | None] = mapped_column(_bytewise(DIGEST_LENGTH))
    moved_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )

    @declared_attr
    def moved_by_id(cls) -> Mapped[t.Any]:
        """Who did it."""
        return cls._user_id(cls.user_key, "SET NULL")


class Upload(Record):
    """An upload session of one user to one repository.

    How many bytes it has is asked of the storage, never of this row: after a
    crash, the file is what is true. The row remembers what was hashed.
    """

    __tablename__ = "oci_upload"

    uuid: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"), index=True
    )
    algorithm: Mapped[str] = mapped_column(sa.String(16))
    hashed_length: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    hashed_digest: Mapped[str | None] = mapped_column(sa.String(DIGEST_LENGTH))
    started_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )
    touched_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )

    @declared_attr
    def user_id(cls) -> Mapped[t.Any]:
        """Who may go on with it."""
        return cls._user_id(cls.user_key, "CASCADE")


class RepositoryAlias(Record):
    """A name that a repository had before, by which it can still be pulled."""

    __tablename__ = "oci_repository_alias"

    name: Mapped[str] = mapped_column(_bytewise(255), primary_key=True)
    repository_id: Mapped[int] = mapped_column(
        sa.ForeignKey("oci_repository.id", ondelete="CASCADE"), index=True
    )


class Credential(Record):
    """An access token or a refresh token. The secret itself is not here: only its
    hash, by which it is found."""

    __tablename__ = "oci_credential"

    # A random key, since databases give the number of a deleted row away again,
    # and a bearer token may still name it.
    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    subject: Mapped[str] = mapped_column(sa.String(255))
    parent_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("oci_credential.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(sa.String(255), default="")
    actions: Mapped[list[str]] = mapped_column(sa.JSON)
    repositories: Mapped[list[str]] = mapped_column(sa.JSON)
    validator: Mapped[str | None] = mapped_column(sa.String(255))
    about: Mapped[str | None] = mapped_column(sa.String(255))
    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), default=utcnow
    )
    expires_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))

    @declared_attr
    def user_id(cls) -> Mapped[t.Any]:
        """Whose it is."""
        return cls._user_id(cls.user_key, "CASCADE")


class Revocation(Record):
    """That every bearer token that somebody had by then has ended."""

    __tablename__ = "oci_revocation"

    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    """A hash of the subject of the tokens."""

    at: Mapped[int] = mapped_column(sa.BigInteger)
    """In microseconds after 1970."""


class LoginFailure(Record):
    """How often logging in failed lately, for one account or one address."""

    __tablename__ = "oci_login_failure"

    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    count: Mapped[int] = mapped_column(sa.Integer)
    since: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))


@dataclass(frozen=True)
class Models:
    """The tables of one host: its records, bound to its metadata."""

    User: type[t.Any]
    Repository: type[Repository]
    Blob: type[Blob]
    RepositoryBlob: type[RepositoryBlob]
    Manifest: type[Manifest]
    ManifestReference: type[ManifestReference]
    Tag: type[Tag]
    TagMove: type[TagMove]
    Upload: type[Upload]
    RepositoryAlias: type[RepositoryAlias]
    Credential: type[Credential]
    Revocation: type[Revocation]
    LoginFailure: type[LoginFailure]

    @classmethod
    def bind(cls, user_model: type[t.Any]) -> Models:
        """Make the tables beside a host's user table.

        :param user_model: the mapped class of the host's users. Its primary
            key, of whatever name and type, is what our rows refer to.
        :raises TypeError: when it is not a mapped class with a primary key of
            one column.
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
                "metadata": user_model.metadata,
                "user_key": f"{key.table.fullname}.{key.name}",
                "__module__": __name__,
            },
        )

        def bound(record: type[t.Any]) -> type[t.Any]:
            return type(record.__name__, (record, base), {"__module__": __name__})

        records = (
            Repository,
            Blob,
            RepositoryBlob,
            Manifest,
            ManifestReference,
            Tag,
            TagMove,
            Upload,
            RepositoryAlias,
            Credential,
            Revocation,
            LoginFailure,
        )
        return cls(user_model, *map(bound, records))
