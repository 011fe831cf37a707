"""Webhooks for hosts, the command line and the pages: adding, changing and testing."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Sequence
from urllib.parse import urlsplit

from .. import changes
from ..catalog.delivery_log import Attempt
from ..catalog.webhook_info import OwnerScope
from ..clock import utcnow
from ..spec.name_pattern import can_match
from . import audit
from . import formats
from . import signing
from . import ssrf
from .formats import CLOUDEVENTS
from .formats import FORMS
from .http_client import send
from .owners import MAX_PENDING
from .owners import MAX_PER_SCOPE
from .owners import networks_of
from .owners import TEST_INTERVAL
from .owners import TooManyTests

if t.TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog.deliveries import Outcome
    from ..catalog.webhook_info import WebhookInfo
    from ..config import Config
    from .owners import Owners

#: The longest pattern of repository names or of kinds of a webhook, in characters.
LONGEST_PATTERN: t.Final = 255

#: The maximum number of patterns of each sort. Each event is compared with all of them.
MAX_PATTERNS: t.Final = 100


class WebhookManager:
    """The webhooks of one application, for :class:`~flask_oci.Events`."""

    _catalog: Catalog
    _config: t.Callable[[], Config]
    _owners: Owners

    def add_webhook(
        self,
        url: str,
        *,
        format: str = CLOUDEVENTS,
        kinds: Sequence[str] = ("*",),
        repositories: Sequence[str] = ("*",),
        owner: t.Any = None,
        by: t.Any = None,
    ) -> WebhookInfo:
        """Add a webhook, which receives the events from now on.

        :param url: the address that receives a ``POST`` for each event.
        :param format: ``cloudevents``, or ``distribution`` for the notifications of
            CNCF Distribution.
        :param kinds: patterns of kinds of events, such as ``tag.*``.
        :param repositories: patterns of repository names, in which ``*`` stands for any
            text with ``/``. Events about no repository need the pattern ``*``.
        :param owner: one of the host's users, for a webhook of this user.
            ``repositories`` is then one repository, or one path such as ``website/*``.
            The webhook receives an event only if the owner may ``manage`` its
            repository when it is delivered. It ends with the user.
        :param by: the user who makes the change, for the audit log.
        :return: the webhook. Give its ``secret`` to the receiver.
        :raises ValueError: if the address, the format or a pattern is invalid, if the
            owner does not manage the repository or path, or if there are too many
            webhooks.
        """
        self._check(url, format, kinds, repositories, owner)
        webhook = self._catalog.webhooks.add(
            url,
            format,
            signing.new_secret(),
            kinds,
            repositories,
            None if owner is None else self._owner_scope(owner, repositories[0]),
        )
        self._record("webhook-added", webhook.id, by, host=_host(url))
        return webhook

    def webhooks(self, owner: t.Any = None) -> list[WebhookInfo]:
        """Return every webhook, the oldest first.

        :param owner: one of the host's users; return only the webhooks of this user.
        """
        if owner is None:
            return self._catalog.webhooks.all()
        return self._catalog.webhooks.owned_by(self._catalog.users.key_of(owner))

    def webhook(self, key: str) -> WebhookInfo | None:
        """Return a webhook, or None if there is no such webhook.

        :param key: the id of the webhook.
        """
        return next(iter(self._catalog.webhooks.all(key)), None)

    def change_webhook(
        self,
        key: str,
        *,
        url: str | None = None,
        format: str | None = None,
        kinds: Sequence[str] | None = None,
        repositories: Sequence[str] | None = None,
        enabled: bool | None = None,
        by: t.Any = None,
    ) -> WebhookInfo | None:
        """Change a webhook. None keeps a value.

        :param key: the id of the webhook.
        :param url: the new address. Outstanding deliveries are sent to it as well.
        :param format: the new format.
        :param kinds: the new patterns of kinds of events, for later events.
        :param repositories: the new patterns of repository names, for later events.
        :param enabled: False disables the webhook: its deliveries wait, and it never
            receives the events that happen until True enables it.
        :param by: the user who makes the change, for the audit log.
        :return: the changed webhook, or None if there is no such webhook.
        :raises ValueError: if the address, the format or a pattern is invalid.
        """
        webhook = self.webhook(key)
        if webhook is None:
            return None
        given = {"url": url, "form": format, "kinds": kinds}
        given["repositories"] = repositories
        changed = {
            name: value
            for name, value in given.items()
            if value is not None and not _is_same(getattr(webhook, name), value)
        }
        owner = None
        if webhook.owner_id is not None:
            owner = self._catalog.users.find(str(webhook.owner_id))
        self._check(
            webhook.url if url is None else url,
            webhook.form if format is None else format,
            webhook.kinds if kinds is None else kinds,
            webhook.repositories if repositories is None else repositories,
            owner,
        )
        if owner is not None and "repositories" in changed:
            changed["scope"] = t.cast(t.Any, repositories)[0]
        if changed and self._catalog.webhooks.change(key, changed):
            detail = {"host": _host(url)} if url and "url" in changed else {}
            detail["change"] = ", ".join(sorted(changed))
            self._record("webhook-changed", key, by, **detail)
        if enabled is not None and enabled is (webhook.disabled_at is not None):
            self._enable(key, enabled, by)
        return self.webhook(key)

    def rotate_webhook_secret(
        self, key: str, *, by: t.Any = None
    ) -> WebhookInfo | None:
        """Replace the secret of a webhook. The former secret is invalid at once.

        :param key: the id of the webhook.
        :param by: the user who makes the change, for the audit log.
        :return: the webhook with its new ``secret``, or None if there is no such
            webhook.
        """
        secret = signing.new_secret()
        if not self._catalog.webhooks.change(key, {"secret": secret}):
            return None
        self._record("webhook-changed", key, by, change="secret")
        return self.webhook(key)

    def remove_webhook(self, key: str, *, by: t.Any = None) -> bool:
        """Delete a webhook and its deliveries.

        :param key: the id of the webhook.
        :param by: the user who makes the change, for the audit log.
        :return: False if there is no such webhook.
        """
        is_removed = self._catalog.webhooks.remove(key)
        if is_removed:
            self._record("webhook-removed", key, by)
        return is_removed

    def send_test(self, key: str) -> Attempt | None:
        """Send a test notification to a webhook now, and wait for the answer.

        It is a CloudEvent of the type ``flask-oci.webhook.test``, or an envelope
        without events in the format of CNCF Distribution. It is sent to a disabled
        webhook as well. An answer ends the pause of a webhook that did not respond.

        :param key: the id of the webhook.
        :return: the time and the result, or None if there is no such webhook.
        :raises TooManyTests: if the owner of the webhook sent another test within the
            last ten seconds.
        """
        webhook = self.webhook(key)
        if webhook is None:
            return None
        if not self._catalog.webhooks.begin_test(webhook, TEST_INTERVAL):
            raise TooManyTests
        # The connection is not held while the webhook takes its time.
        self._catalog.release()
        started = utcnow()
        outcome = self._post_test(webhook)
        if outcome.succeeded:
            self._catalog.webhooks.accept_test(key)
        return Attempt(started, *outcome)

    def _post_test(self, webhook: WebhookInfo) -> Outcome:
        config = self._config()
        identifier, message = formats.test_message(
            webhook.form, url=config.external_url, service=config.service
        )
        return post(config, webhook, identifier, message)

    def _enable(self, key: str, enabled: bool, by: t.Any) -> None:
        # Events from before the change belong to the webhook as it was.
        while self._catalog.deliveries.assign(MAX_PENDING):
            continue
        self._catalog.webhooks.enable(key, enabled)
        change = "enabled" if enabled else "disabled"
        self._record("webhook-changed", key, by, change=change)

    def _check(
        self,
        url: str,
        format: str,
        kinds: Sequence[str],
        repositories: Sequence[str],
        owner: t.Any,
    ) -> None:
        config = self._config()
        ssrf.check_url(
            url,
            config.webhook_networks if owner is None else config.owner_webhook_networks,
            "OCI_WEBHOOK_NETWORKS" if owner is None else "OCI_OWNER_WEBHOOK_NETWORKS",
        )
        if format not in FORMS:
            raise ValueError(f"A format is one of {', '.join(FORMS)}, not {format!r}.")
        _check_patterns(kinds)
        _check_patterns(repositories)
        if owner is not None:
            if len(repositories) != 1:
                raise ValueError("Give one repository, or one path.")
            self._owners.check_scope(owner, repositories[0])
        for pattern in repositories:
            if not can_match(pattern):
                raise ValueError(f"No repository name matches {pattern!r}.")
        for pattern in kinds:
            if not changes.matching(pattern):
                raise ValueError(f"No kind of event matches {pattern!r}.")

    def _owner_scope(self, owner: t.Any, scope: str) -> OwnerScope:
        most = self._config().owner_webhooks
        if most is None:
            raise ValueError("Only administrators may add webhooks on this site.")
        key = self._catalog.users.key_of(owner)
        return OwnerScope(key, scope, most, MAX_PER_SCOPE)

    def _record(self, action: str, key: str, by: t.Any, **detail: str) -> None:
        actor = self._catalog.users.name_of(by)
        audit.record(action, actor, webhook=key, **detail)


def post(
    config: Config, webhook: WebhookInfo, identifier: str, message: formats.Message
) -> Outcome:
    """Send a signed message to a webhook, and return the outcome.

    :param config: the time limit and the allowed networks.
    :param identifier: the id of the message, which is the same in a retry.
    """
    moment = int(time.time())
    headers = {
        "Content-Type": message.content_type,
        "User-Agent": "flask-oci",
        **signing.headers(webhook.secret, identifier, moment, message.body),
    }
    return send(
        webhook.url,
        message.body,
        headers,
        allowed=networks_of(config, webhook),
        timeout=config.webhook_timeout.total_seconds(),
        hides_addresses=webhook.owner_id is not None,
    )


def _check_patterns(patterns: Sequence[str]) -> None:
    if not 0 < len(patterns) <= MAX_PATTERNS:
        raise ValueError(f"Give between 1 and {MAX_PATTERNS} patterns.")
    for pattern in patterns:
        if not 0 < len(pattern) <= LONGEST_PATTERN:
            raise ValueError(
                f"A pattern has between 1 and {LONGEST_PATTERN} characters."
            )


def _is_same(stored: t.Any, given: t.Any) -> bool:
    return bool(stored == (given if isinstance(given, str) else tuple(given)))


def _host(url: str) -> str:
    """Return the host of a webhook; its path can contain a secret of the receiver."""
    return urlsplit(url).hostname or ""
