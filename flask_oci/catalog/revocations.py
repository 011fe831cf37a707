"""Moments at which everything that somebody had ended."""

from __future__ import annotations

import hashlib
import typing as t
from functools import cached_property

import sqlalchemy as sa

from ..clock import microseconds
from ..clock import utcnow
from .database import Database


class Revocations:
    """Remembers until when bearer tokens that no other token stands behind have ended.

    They are by subject, and not by the key of a user: one who is deleted has none,
    and a database may give it to somebody else.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def last(self, subject: str) -> int | None:
        """Return when everything of a subject ended last, in microseconds."""
        last = self._db.execute(self._last, {"key": _key(subject)}).scalar()
        return t.cast("int | None", last)

    def statements(self, subject: str) -> tuple[sa.Delete, sa.Insert]:
        """Return what ends everything of a subject, to be executed in this order."""
        table, key = self._db.models.Revocation.__table__, _key(subject)
        return (
            sa.delete(table).where(table.c.key == key),
            sa.insert(table).values(key=key, at=microseconds(utcnow())),
        )

    @cached_property
    def _last(self) -> sa.Select[t.Any]:
        columns = self._db.models.Revocation.__table__.c
        return sa.select(columns.at).where(columns.key == sa.bindparam("key"))


def _key(subject: str) -> str:
    # A host's subjects may be longer than a column that has an index.
    return hashlib.sha256(subject.encode()).hexdigest()
