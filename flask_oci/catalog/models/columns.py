"""What the tables are made of: the common base, and the columns of several."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

#: The longest digest is that of sha512: "sha512:" and 128 digits.
DIGEST_LENGTH: t.Final = 135

#: MySQL's usual binary column would not hold a manifest. By this name it is also the
#: type that migrations find there.
CONTENT: t.Final = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


def bytewise(length: int) -> sa.types.TypeEngine[str]:
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
    def _refer_to(key: str, ondelete: str) -> Mapped[t.Any]:
        # The column has no type of its own: it takes that of the host's key.
        return mapped_column(
            sa.ForeignKey(key, ondelete=ondelete), index=True, nullable=True
        )
