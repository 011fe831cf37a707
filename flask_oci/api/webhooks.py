"""Webhooks and their deliveries: all of them for administrators, and their own for
other users."""

from __future__ import annotations

import typing as t

import msgspec

from ..errors import NameUnknown
from ..errors import TooManyRequests
from ..events.owners import TooManyTests
from ..http.bounds import MAX_LONG_KEY
from ..services import principal
from ..services import services
from . import paging
from .access import is_admin
from .access import signed_in_user
from .bodies import Deliveries
from .bodies import Delivery
from .bodies import DeliveryAttempt
from .bodies import DeliveryList
from .bodies import NewWebhook
from .bodies import Paging
from .bodies import Replay
from .bodies import Replayed
from .bodies import Webhook
from .bodies import WebhookChange
from .bodies import Webhooks
from .bodies import WebhookSecret
from .events import as_body
from .refusals import unsupported_if_invalid

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..catalog.delivery_log import Attempt
    from ..catalog.delivery_log import DeliveryRow
    from ..catalog.webhook_info import WebhookInfo

FoundT = t.TypeVar("FoundT")


def webhooks(query: Paging) -> Webhooks:
    """List the webhooks, oldest first: all for administrators, and their own for other
    users.

    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    """
    owner = None if is_admin() else signed_in_user("manage")
    size, offset = paging.size(query), paging.number(query.next) or 0
    found = services().events.webhooks(owner)[offset : offset + size + 1]
    names = services().catalog.users.names(each.owner_id for each in found)
    items, position = paging.paginate(
        [_webhook(each, names) for each in found], size, lambda _: offset + size
    )
    return Webhooks(items=items, next=position)


def add_webhook(body: NewWebhook) -> WebhookSecret:
    """Add a webhook, which receives the events from now on. Only this response contains
    its secret.

    A webhook of a user receives an event only if the user may manage its repository
    when the event is delivered.

    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    :raises Unsupported: 422, if the address is invalid or not allowed, no event
        matches a pattern, the caller does not manage the repository or path, or there
        are too many webhooks.
    """
    user = signed_in_user("manage")
    is_own = body.own or not is_admin()
    with unsupported_if_invalid():
        made = services().events.add_webhook(
            body.url,
            format=body.format,
            kinds=body.kinds,
            repositories=body.repositories,
            owner=user if is_own else None,
            by=user,
        )
    return WebhookSecret(id=made.id, secret=made.secret)


def webhook(webhook_id: str) -> Webhook:
    """Show a webhook, without its secret.

    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    :raises NameUnknown: if there is no such webhook.
    """
    return _webhook(_find(webhook_id))


def change_webhook(webhook_id: str, body: WebhookChange) -> Webhook:
    """Change, enable or disable a webhook.

    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    :raises NameUnknown: if there is no such webhook.
    :raises Unsupported: 422, if the address is invalid or not allowed, or no event
        matches a pattern.
    """
    _find(webhook_id)
    values = {
        name: value
        for name, value in msgspec.structs.asdict(body).items()
        if value is not msgspec.UNSET
    }
    with unsupported_if_invalid():
        changed = services().events.change_webhook(
            webhook_id, **values, by=principal().user
        )
    return _webhook(_existing(changed, webhook_id))


def delete_webhook(webhook_id: str) -> None:
    """Delete a webhook and its deliveries.

    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    :raises NameUnknown: if there is no such webhook.
    """
    _find(webhook_id)
    services().events.remove_webhook(webhook_id, by=principal().user)


def test_webhook(webhook_id: str) -> DeliveryAttempt:
    """Send a test notification to a webhook now, and return its answer.

    The owner of webhooks can send one test in ten seconds.

    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    :raises NameUnknown: if there is no such webhook.
    :raises TooManyRequests: if the owner sent another test within ten seconds.
    """
    _find(webhook_id)
    try:
        attempt = services().events.send_test(webhook_id)
    except TooManyTests as error:
        raise TooManyRequests(str(error), headers={"Retry-After": "10"}) from None
    return _attempt(_existing(attempt, webhook_id))


def rotate_webhook_secret(webhook_id: str) -> WebhookSecret:
    """Replace the secret of a webhook. Only this response contains the new one; the
    former one is invalid at once.

    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    :raises NameUnknown: if there is no such webhook.
    """
    _find(webhook_id)
    changed = services().events.rotate_webhook_secret(webhook_id, by=principal().user)
    found = _existing(changed, webhook_id)
    return WebhookSecret(id=found.id, secret=found.secret)


def webhook_deliveries(webhook_id: str, query: DeliveryList) -> Deliveries:
    """List the deliveries to a webhook with all attempts, newest event first.

    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    :raises NameUnknown: if there is no such webhook.
    """
    webhook = _find(webhook_id)
    size = paging.size(query)
    rows = services().events.deliveries(
        webhook_id,
        size + 1,
        state=query.state or None,
        before=paging.number(query.next, MAX_LONG_KEY),
    )
    page, position = paging.paginate(rows, size, lambda row: row.event.id)
    if not is_admin():
        page = services().events.deliveries_for_owner(webhook, page)
    return Deliveries(items=[_delivery(row) for row in page], next=position)


def replay_webhook_deliveries(webhook_id: str, body: Replay) -> Replayed:
    """Schedule deliveries to a webhook again that succeeded or are dead.

    :raises Denied: if the caller sent a token that cannot manage all of their
        repositories.
    :raises NameUnknown: if there is no such webhook.
    """
    _find(webhook_id)
    count = services().events.replay(body.events, webhook=webhook_id)
    return Replayed(deliveries=count)


def _find(webhook_id: str) -> WebhookInfo:
    """Return a webhook to its owner or to an administrator."""
    user, found = signed_in_user("manage"), services().events.webhook(webhook_id)
    key = services().catalog.users.key_of(user)
    is_own = found is not None and found.owner_id == key
    return _existing(found if is_own or is_admin() else None, webhook_id)


def _existing(found: FoundT | None, webhook_id: str) -> FoundT:
    if found is None:
        raise NameUnknown("There is no such webhook.", detail=webhook_id)
    return found


def _webhook(webhook: WebhookInfo, names: Mapping[t.Any, str] | None = None) -> Webhook:
    """Return the body of a webhook.

    :param names: the names of owners by key, if they are known.
    """
    if names is None:
        names = services().catalog.users.names([webhook.owner_id])
    return Webhook(
        id=webhook.id,
        url=webhook.url,
        format=t.cast(t.Any, webhook.form),
        kinds=list(webhook.kinds),
        repositories=list(webhook.repositories),
        enabled=webhook.disabled_at is None,
        failures=webhook.failures,
        has_delivered=webhook.has_delivered,
        paused_until=webhook.paused_until,
        created_at=webhook.created_at,
        owner=names.get(webhook.owner_id),
        accepted_at=webhook.accepted_at,
        failing_since=webhook.failing_since,
        disabled_reason=webhook.disabled_reason,
    )


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        state=t.cast(t.Any, row.state),
        due_at=row.due_at if row.state == "pending" else None,
        event=as_body(row.event),
        attempts=[_attempt(attempt) for attempt in row.log],
    )


def _attempt(attempt: Attempt) -> DeliveryAttempt:
    return DeliveryAttempt(**attempt._asdict())
