"""The common base class and the shared column types of the tables."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

#: The longest digest is that of sha512: "sha512:" and 128 digits.
DIGEST_LENGTH: t.Final = 135

#: The longest login name of a robot: a repository name, a plus sign and 64 characters.
LOGIN_LENGTH: t.Final = 320

#: The maximum length of the name of a store, in characters.
STORE_LENGTH: t.Final = 200

#: The maximum length of the location of an object, in characters. MySQL limits the
#: length of an index.
LOCATION_LENGTH: t.Final = 255

#: MySQL's default binary column is too small for a manifest. MEDIUMBLOB is also the
#: name that migrations read back from the database.
CONTENT: t.Final = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")

#: A time with microseconds, which order the pushes of one second. MySQL's default type
#: has none.
TIME: t.Final = sa.DateTime(timezone=True).with_variant(
    mysql.DATETIME(fsp=6), "mysql", "mariadb"
)

#: An ascending key of 64 bits. SQLite autoincrements only columns of the type INTEGER,
#: which has as many bits there.
Counter: t.Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def bytewise(length: int) -> sa.types.TypeEngine[str]:
    """Return the type of a string that every database compares byte by byte.

    Tags are case-sensitive and listed "in lexical order" (spec.md, "Listing Tags"),
    regardless of the database's default collation.

    :param length: the maximum length, in characters.
    """
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def free_text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Return the type of a text that users write, in any script and with emoji.

    MySQL and MariaDB may have a narrow default character set, such as latin1.

    :param length: the maximum length, in characters; None is a long text.
    """
    kind = sa.Text if length is None else sa.String
    wide = kind(length, collation="utf8mb4_bin")
    return kind(length).with_variant(wide, "mysql", "mariadb")


@dataclass(frozen=True)
class UserKey:
    """The primary key of the host's user table.

    It wraps the column, because SQLAlchemy copies a column of a base class into every
    table.
    """

    column: sa.Column[t.Any]


class Record:
    """The base of every table. :meth:`Models.bind` sets the attributes."""

    user_key: t.ClassVar[UserKey]
    __table__: t.ClassVar[sa.Table]

    @staticmethod
    def _refer_to(key: UserKey, ondelete: str) -> Mapped[t.Any]:
        # The column has no type of its own, so it takes the type of the host's key. A
        # name instead of the column would be looked up in the table's own metadata,
        # which may not have the host's tables.
        return mapped_column(
            sa.ForeignKey(key.column, ondelete=ondelete), index=True, nullable=True
        )
