"""Statements on the host's user table."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from .models import Models


def locking_users(models: Models) -> sa.Select[t.Any]:
    """Return the query of the users with some ``keys``, in the order of their locks."""
    key = models.user_key
    keys: sa.BindParameter[t.Any] = sa.bindparam("keys", expanding=True)
    return sa.select(key).where(key.in_(keys)).order_by(key)
