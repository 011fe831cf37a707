"""Statements on the host's user table."""

from __future__ import annotations

import hashlib
import typing as t

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from .models import Models


class Login(t.NamedTuple):
    """The credentials that authenticated the current request."""

    credentials: tuple[str, ...]
    """The identifiers of the access or refresh token and its parent; empty for a
    password."""

    subject: str
    """The identifier of the user."""

    since: int
    """When the password was checked, in microseconds since 1970."""

    def values(self) -> dict[str, t.Any]:
        """Return the parameters of :func:`locking_users_with_login`."""
        if self.credentials:
            return {"credentials": self.credentials, "number": len(self.credentials)}
        return {"subject": revocation_key(self.subject), "since": self.since}


def locking_users(models: Models) -> sa.Select[t.Any]:
    """Return the query of the users with some ``keys``, in the order of their locks."""
    key = models.user_key
    keys: sa.BindParameter[t.Any] = sa.bindparam("keys", expanding=True)
    return sa.select(key).where(key.in_(keys)).order_by(key)


def lock_users(statement: sa.Select[t.Any], *, exclusive: bool) -> sa.Select[t.Any]:
    """Return the query so that it locks its users.

    :param exclusive: whether to lock them against every other lock.
    """
    if exclusive:
        return statement.with_for_update()
    # A foreign key takes the same lock when a row that refers to a user is written.
    # This lock precedes the others.
    return statement.with_for_update(read=True, key_share=True)


def locking_users_with_login(
    models: Models, *, has_credential: bool
) -> sa.Select[t.Any]:
    """Return the same query without the user ``by`` if the login was revoked.

    One statement does both, so that each push checks its credentials once more, after
    its body has arrived, without another statement.

    :param has_credential: whether the login was with a token, and not with a password.
    """
    key = models.user_key
    by: sa.BindParameter[t.Any] = sa.bindparam("by", type_=key.type)
    is_valid = _is_stored(models) if has_credential else sa.not_(_is_revoked(models))
    return locking_users(models).where(sa.or_(key != by, is_valid))


def revocation_key(subject: str) -> str:
    """Return the key of the time at which all tokens of a subject were revoked."""
    # A host's subjects may be longer than an indexed column allows.
    return hashlib.sha256(subject.encode()).hexdigest()


def _is_stored(models: Models) -> sa.ColumnElement[bool]:
    table = models.Credential.__table__
    wanted: sa.BindParameter[t.Any] = sa.bindparam("credentials", expanding=True)
    count = sa.select(sa.func.count()).select_from(table).where(table.c.id.in_(wanted))
    return count.scalar_subquery() == sa.bindparam("number")


def _is_revoked(models: Models) -> sa.ColumnElement[bool]:
    columns = models.Revocation.__table__.c
    return sa.exists().where(
        columns.key == sa.bindparam("subject"), columns.at >= sa.bindparam("since")
    )


def forgetting_webhooks(models: Models, key: t.Any) -> list[sa.Delete]:
    """Return the statements that delete the webhooks of a user.

    :param key: the key of the user.
    """
    attempts, deliveries, webhooks = (
        table.__table__
        for table in (models.DeliveryAttempt, models.Delivery, models.Webhook)
    )
    own = sa.select(webhooks.c.id).where(webhooks.c.owner_id == key)
    made = sa.select(deliveries.c.id).where(deliveries.c.webhook_id.in_(own))
    return [
        sa.delete(attempts).where(attempts.c.delivery_id.in_(made)),
        sa.delete(deliveries).where(deliveries.c.webhook_id.in_(own)),
        sa.delete(webhooks).where(webhooks.c.owner_id == key),
    ]
