"""Webhooks and their deliveries, for administrators."""

from __future__ import annotations

import typing as t

import msgspec

from ..errors import NameUnknown
from ..http.bounds import MAX_LONG_KEY
from ..services import principal
from ..services import services
from . import paging
from .access import require_admin
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
    from ..catalog.delivery_log import Attempt
    from ..catalog.delivery_log import DeliveryRow
    from ..catalog.webhooks import WebhookInfo

FoundT = t.TypeVar("FoundT")


def webhooks(query: Paging) -> Webhooks:
    """List the webhooks, oldest first, for administrators.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    """
    require_admin()
    size, offset = paging.size(query), paging.number(query.next) or 0
    found = services().events.webhooks()[offset : offset + size + 1]
    items, position = paging.paginate(
        [_webhook(each) for each in found], size, lambda _: offset + size
    )
    return Webhooks(items=items, next=position)


def add_webhook(body: NewWebhook) -> WebhookSecret:
    """Add a webhook, which receives the events from now on. Only this response contains
    its secret.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    :raises Unsupported: 422, if the address is invalid or not allowed, or no event
        matches a pattern.
    """
    require_admin()
    with unsupported_if_invalid():
        made = services().events.add_webhook(
            body.url,
            format=body.format,
            kinds=body.kinds,
            repositories=body.repositories,
            by=principal().user,
        )
    return WebhookSecret(id=made.id, secret=made.secret)


def webhook(webhook_id: str) -> Webhook:
    """Show a webhook, without its secret.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if there is no such webhook.
    """
    return _webhook(_find(webhook_id))


def change_webhook(webhook_id: str, body: WebhookChange) -> Webhook:
    """Change, enable or disable a webhook.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
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

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if there is no such webhook.
    """
    _find(webhook_id)
    services().events.remove_webhook(webhook_id, by=principal().user)


def test_webhook(webhook_id: str) -> DeliveryAttempt:
    """Send a test notification to a webhook now, and return its answer.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if there is no such webhook.
    """
    _find(webhook_id)
    return _attempt(_existing(services().events.send_test(webhook_id), webhook_id))


def rotate_webhook_secret(webhook_id: str) -> WebhookSecret:
    """Replace the secret of a webhook. Only this response contains the new one; the
    former one is invalid at once.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if there is no such webhook.
    """
    _find(webhook_id)
    changed = services().events.rotate_webhook_secret(webhook_id, by=principal().user)
    found = _existing(changed, webhook_id)
    return WebhookSecret(id=found.id, secret=found.secret)


def webhook_deliveries(webhook_id: str, query: DeliveryList) -> Deliveries:
    """List the deliveries to a webhook with all attempts, newest event first.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if there is no such webhook.
    """
    _find(webhook_id)
    size = paging.size(query)
    rows = services().events.deliveries(
        webhook_id,
        size + 1,
        state=query.state or None,
        before=paging.number(query.next, MAX_LONG_KEY),
    )
    page, position = paging.paginate(rows, size, lambda row: row.event.id)
    return Deliveries(items=[_delivery(row) for row in page], next=position)


def replay_webhook_deliveries(webhook_id: str, body: Replay) -> Replayed:
    """Schedule deliveries to a webhook again that succeeded or are dead.

    :raises Denied: if the caller is not an administrator, or sent a token that cannot
        manage all of their repositories.
    :raises NameUnknown: if there is no such webhook.
    """
    _find(webhook_id)
    count = services().events.replay(body.events, webhook=webhook_id)
    return Replayed(deliveries=count)


def _find(webhook_id: str) -> WebhookInfo:
    require_admin()
    return _existing(services().events.webhook(webhook_id), webhook_id)


def _existing(found: FoundT | None, webhook_id: str) -> FoundT:
    if found is None:
        raise NameUnknown("There is no such webhook.", detail=webhook_id)
    return found


def _webhook(webhook: WebhookInfo) -> Webhook:
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
