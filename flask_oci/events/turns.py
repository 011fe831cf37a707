"""The order of deliveries: fair shares of owners, and bounds for slow receivers."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ..catalog.webhook_info import WebhookInfo

#: The maximum number of simultaneous requests of one process.
MAX_REQUESTS: t.Final = 8

#: How many of them are for webhooks of owners. The others are for those of the site.
MAX_OF_OWNERS: t.Final = 6

#: How many of them are for webhooks of owners that are slow or fail.
MAX_SLOW: t.Final = 3

#: From this time on, an answer is slow, in milliseconds.
SLOW: t.Final = 2000


class Turns:
    """Chooses the next webhook. It remembers when each owner had a turn, and which
    webhooks were slow."""

    def __init__(self) -> None:
        self._turn = 0
        self._turns: dict[t.Any, int] = {}
        self._slow: set[str] = set()

    def order(self, webhooks: Iterable[WebhookInfo]) -> list[WebhookInfo]:
        """Return webhooks in the order of their turns: the one whose owner has waited
        longest is first. A webhook of the site has a turn of its own."""
        found = list(webhooks)
        # The process runs for months, and must not remember deleted webhooks.
        known = {share_of(each) for each in found}
        self._turns = {key: at for key, at in self._turns.items() if key in known}
        self._slow &= {each.id for each in found}
        return sorted(found, key=lambda each: self._turns.get(share_of(each), 0))

    def next(
        self, queue: list[WebhookInfo], running: Iterable[WebhookInfo]
    ) -> WebhookInfo | None:
        """Remove the first webhook from the queue that may have a request now, and
        return it; None if all have to wait.

        :param running: the webhooks that have a request.
        """
        busy = list(running)
        shares = {share_of(each) for each in busy}
        of_owners = [each for each in busy if each.owner_id is not None]
        slow = sum(self._is_slow(each) for each in of_owners)
        for position, webhook in enumerate(queue):
            if share_of(webhook) in shares:
                continue
            if webhook.owner_id is not None and (
                len(of_owners) >= MAX_OF_OWNERS
                or (slow >= MAX_SLOW and self._is_slow(webhook))
            ):
                continue
            del queue[position]
            self._turn += 1
            self._turns[share_of(webhook)] = self._turn
            return webhook
        return None

    def note(self, webhook: WebhookInfo, milliseconds: int) -> None:
        """Remember how long an answer took."""
        if milliseconds >= SLOW:
            self._slow.add(webhook.id)
        else:
            self._slow.discard(webhook.id)

    def _is_slow(self, webhook: WebhookInfo) -> bool:
        return webhook.failures > 0 or webhook.id in self._slow


def share_of(webhook: WebhookInfo) -> t.Any:
    """Return the key of the share that a webhook uses, which has one request at a time:
    that of its owner, or its own if it is one of the site."""
    if webhook.owner_id is None:
        return "site", webhook.id
    return "owner", webhook.owner_id
