"""Webhooks of owners: what they may receive, and their bounds.

A user may add webhooks for a repository or a path that the user manages. The permission
is checked when an event is delivered, because it can end at any time.
"""

from __future__ import annotations

import typing as t
from datetime import timedelta

from ..catalog.repository_info import RepositoryInfo
from ..changes import MANIFEST_PULLED
from ..changes import REPOSITORY_DELETED
from ..errors import Denied
from ..rules.paths import parse_path
from ..spec.reference import is_name

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog.outbox import StoredEvent
    from ..catalog.webhook_info import WebhookInfo
    from ..config import Config
    from ..config.parsers import Network
    from ..spec.scope import Action

#: The maximum number of webhooks of owners for one repository or path.
MAX_PER_SCOPE: t.Final = 20

#: The maximum number of pending deliveries of a webhook of an owner. Further events are
#: not delivered to it.
MAX_PENDING: t.Final = 1000

#: After this time without a success, a webhook of an owner is disabled.
DISABLED_AFTER: t.Final = timedelta(days=7)

#: The time between two tests of webhooks of one owner. A test waits for its answer.
TEST_INTERVAL: t.Final = timedelta(seconds=10)

#: The fields of an event with names of other repositories than its own.
OTHER_NAMES: t.Final = frozenset({"source", "former_name"})

#: The fields of an event about the client, which only administrators receive.
_ABOUT_CLIENT: t.Final = frozenset({"address", "host", "method", "user_agent"})


class Permissions(t.Protocol):
    """The decisions of :class:`~flask_oci.auth.policy.Policy` that webhooks need."""

    def is_allowed(
        self, user: t.Any, action: Action, repository: RepositoryInfo
    ) -> bool:
        """Return True if the user may perform the action."""

    def manages_path(self, user: t.Any, path: str) -> bool:
        """Return True if the user may set the rules of a stored path."""


class TooManyTests(ValueError):
    """The owner of a webhook sends tests too often."""

    def __init__(self) -> None:
        super().__init__("Wait ten seconds between two tests of your webhooks.")


class Owners:
    """Decides what the owners of webhooks may add and receive.

    :param permissions: returns the policy of the application.
    """

    def __init__(
        self, catalog: Catalog, permissions: t.Callable[[], Permissions]
    ) -> None:
        self._catalog = catalog
        self._permissions = permissions

    def check_scope(self, owner: t.Any, scope: str) -> None:
        """Check that a user manages a repository or a path.

        :param owner: one of the host's users.
        :param scope: the name of a repository, or a path such as ``website/*``.
        :raises ValueError: if it is neither, or the user does not manage it.
        """
        path = scope.removesuffix("/*")
        if not is_name(path):
            raise ValueError(
                f"{scope!r} is neither a repository nor a path such as 'website/*'."
            )
        permissions = self._permissions()
        if path != scope:
            allowed = permissions.manages_path(owner, parse_path(scope))
        else:
            repository = self._catalog.repositories.find(scope)
            allowed = repository.exists and self._may_manage(owner, repository)
        if not allowed:
            raise ValueError(f"You do not manage {scope!r}.")

    def may_receive(self, webhook: WebhookInfo, event: StoredEvent) -> bool:
        """Return True if a webhook may be notified of an event now.

        An owner has to manage the event's repository, whatever its name is now. Of a
        repository that was deleted, the owner learns only the deletion, if the owner
        manages its name.
        """
        if webhook.owner_id is None:
            return True
        owner = self._catalog.users.find(str(webhook.owner_id))
        if owner is None or event.repository_id is None or event.repository is None:
            return False
        found = self._catalog.repositories.by_id(event.repository_id)
        if found is None and event.kind != REPOSITORY_DELETED:
            return False
        return self._may_manage(owner, found or RepositoryInfo(event.repository))

    def _may_manage(self, owner: t.Any, repository: RepositoryInfo) -> bool:
        try:
            return self._permissions().is_allowed(owner, "manage", repository)
        except Denied:
            return False


def as_sent(event: StoredEvent, webhook: WebhookInfo) -> StoredEvent:
    """Return the event as a webhook receives it.

    Names of repositories that the webhook does not cover are left out: the source of a
    mount and a former name may be private. A webhook of an owner receives no data about
    the client, and not who pulled.
    """
    hidden: set[str] = set()
    if webhook.owner_id is not None:
        hidden |= _ABOUT_CLIENT
        hidden |= {"actor"} if event.kind == MANIFEST_PULLED else set()
    data = {
        key: value
        for key, value in event.data.items()
        if key not in hidden and (key not in OTHER_NAMES or webhook.covers(value))
    }
    return event._replace(data=data)


def networks_of(config: Config, webhook: WebhookInfo) -> tuple[Network, ...]:
    """Return the networks that are not public and that a webhook may be in."""
    if webhook.owner_id is None:
        return config.webhook_networks
    return config.owner_webhook_networks
