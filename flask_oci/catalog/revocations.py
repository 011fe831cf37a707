"""Token revocations: when all tokens of a user were revoked."""

from __future__ import annotations

import typing as t
from functools import cached_property

import sqlalchemy as sa

from ..clock import microseconds
from ..clock import utcnow
from .database import Database
from .user_statements import revocation_key


class Revocations:
    """Records when the bearer tokens that were issued without a credential ended.

    The records use the subject instead of the user's key, because a deleted user has
    no key, and a database may reuse the key for another user.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def last(self, subject: str) -> int | None:
        """Return the last revocation of a subject's tokens, in microseconds since 1970,
        or None."""
        rows = self._db.reads.rows(
            self._last, {"key": revocation_key(subject)}, is_traced=True
        )
        return t.cast(int, rows[0][0]) if rows else None

    def statements(self, subject: str) -> tuple[sa.Delete, sa.Insert]:
        """Return the statements that revoke all tokens of a subject, in order."""
        table, key = self._db.models.Revocation.__table__, revocation_key(subject)
        return (
            sa.delete(table).where(table.c.key == key),
            sa.insert(table).values(key=key, at=microseconds(utcnow())),
        )

    @cached_property
    def _last(self) -> sa.Select[t.Any]:
        columns = self._db.models.Revocation.__table__.c
        return sa.select(columns.at).where(columns.key == sa.bindparam("key"))
