"""The webhooks and their deliveries: all of them for administrators, and their own for
other users."""

from __future__ import annotations

import typing as t

from flask import abort
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from .. import changes
from ..catalog.delivery_log import DeliveryRow
from ..catalog.webhook_info import WebhookInfo
from ..events import FORMS
from ..events.owners import TooManyTests
from ..http.bounds import MAX_LONG_KEY
from ..http.bounds import number
from ..services import services
from . import events
from . import forms
from . import paging
from .access import is_admin
from .access import signed_in_user
from .access import visitor
from .rendering import Page
from .rendering import render
from .translation import gettext
from .translation import ngettext

#: The patterns of kinds that the form offers as checkboxes.
GROUPS: t.Final = (
    "*",
    *dict.fromkeys(f"{kind.partition('.')[0]}.*" for kind in changes.KINDS),
)

#: The states of deliveries that the page can filter by.
STATES: t.Final = ("pending", "delivered", "dead")

#: A page with a secret must not be stored by any cache.
_NO_STORE: t.Final = {"Cache-Control": "no-store"}


class DeliveryEntry(t.NamedTuple):
    """A delivery in a list."""

    row: DeliveryRow
    text: Markup
    """A short description of the event, in the visitor's language."""


def webhooks() -> Page:
    """Show all webhooks to an administrator, and their own to other users."""
    user = _user()
    found = events.webhooks() if is_admin() else events.webhooks_of(user)
    names = services().catalog.users.names(each.owner_id for each in found.all)
    return render("oci/webhooks.html", webhooks=found, names=names)


def new_webhook() -> ResponseReturnValue:
    """Show the form for a new webhook."""
    _user()
    name = paging.parameter("repository")
    repositories = (name,) if name else ("*",) if is_admin() else ()
    kinds = ("*",) if is_admin() else ("manifest.*", "tag.*")
    values = {"url": "", "form": FORMS[0], "kinds": kinds, "repositories": repositories}
    return _form(None, values)


def add_webhook() -> ResponseReturnValue:
    """Add a webhook, and show its secret once."""
    user, values = _user(), _sent()
    owner = None if is_admin() else user
    try:
        webhook = services().events.add_webhook(
            **_arguments(values), owner=owner, by=user
        )
    except ValueError as error:
        return _form(None, values, str(error))
    return _page(webhook, secret=webhook.secret)


def webhook(webhook_id: str) -> ResponseReturnValue:
    """Show a webhook and its deliveries."""
    return _page(_find(webhook_id))


def edit_webhook(webhook_id: str) -> ResponseReturnValue:
    """Show the form for the settings of a webhook."""
    found = _find(webhook_id)
    names = ("url", "form", "kinds", "repositories")
    return _form(found, {name: getattr(found, name) for name in names})


def change_webhook(webhook_id: str) -> ResponseReturnValue:
    """Change the settings of a webhook."""
    found, values = _find(webhook_id), _sent()
    try:
        services().events.change_webhook(webhook_id, **_arguments(values), by=visitor())
    except ValueError as error:
        return _form(found, values, str(error))
    return _done(gettext("The webhook was saved."), webhook_id)


def test_webhook(webhook_id: str) -> ResponseReturnValue:
    """Send a test notification, and show the answer."""
    _find(webhook_id)
    try:
        attempt = services().events.send_test(webhook_id)
    except TooManyTests:
        text = gettext("Wait ten seconds between two tests of your webhooks.")
        return _done(text, webhook_id)
    if attempt is None:
        abort(404)
    if attempt.error is None:
        text = gettext(
            "The test was accepted: the webhook answered %(status)s after %(num)s ms.",
            status=attempt.status,
            num=attempt.milliseconds,
        )
    else:
        text = gettext("The test failed. %(reason)s", reason=attempt.error)
    return _done(text, webhook_id)


def enable_webhook(webhook_id: str) -> ResponseReturnValue:
    """Enable or disable a webhook."""
    _find(webhook_id)
    is_enabled = forms.field("enabled") == "yes"
    services().events.change_webhook(webhook_id, enabled=is_enabled, by=visitor())
    text = (
        gettext("The webhook is enabled. It receives the events from now on.")
        if is_enabled
        else gettext("The webhook is disabled. It receives no events.")
    )
    return _done(text, webhook_id)


def rotate_webhook_secret(webhook_id: str) -> ResponseReturnValue:
    """Replace the secret of a webhook after a confirmation, and show the new one
    once."""
    found = _find(webhook_id)
    if not forms.confirmed():
        return forms.ask(
            gettext("Replace the secret?"),
            [
                found.url,
                gettext("The former secret is invalid at once."),
                gettext(
                    "The receiver refuses all requests until it knows the new one."
                ),
            ],
            gettext("Replace the secret"),
            url_for(".webhook", webhook_id=webhook_id),
        )
    changed = services().events.rotate_webhook_secret(webhook_id, by=visitor())
    if changed is None:
        abort(404)
    return _page(changed, secret=changed.secret)


def replay_deliveries(webhook_id: str) -> ResponseReturnValue:
    """Schedule one delivery of a webhook again, or all that failed."""
    _find(webhook_id)
    sent = forms.field("event")
    event = number(sent, MAX_LONG_KEY)
    if sent and event is None:
        abort(400)
    chosen = None if event is None else [event]
    count = services().events.replay(chosen, webhook=webhook_id)
    text = ngettext(
        "%(num)s delivery was scheduled again.",
        "%(num)s deliveries were scheduled again.",
        count,
    )
    return _done(text, webhook_id)


def delete_webhook(webhook_id: str) -> ResponseReturnValue:
    """Delete a webhook, after a confirmation."""
    found = _find(webhook_id)
    if not forms.confirmed():
        return forms.ask(
            gettext("Delete this webhook?"),
            [
                found.url,
                gettext("It receives no further events."),
                gettext("Its deliveries are deleted, pending ones included."),
            ],
            gettext("Delete the webhook"),
            url_for(".webhook", webhook_id=webhook_id),
        )
    services().events.remove_webhook(webhook_id, by=visitor())
    return forms.done(gettext("The webhook was deleted."), "webhooks")


def _user() -> t.Any:
    """Return the visitor, who may have webhooks; else the response is 404."""
    if visitor() is None:
        abort(404)
    user = signed_in_user()
    if services().config.owner_webhooks is None and not is_admin():
        abort(404)
    return user


def _find(webhook_id: str) -> WebhookInfo:
    """Return a webhook to its owner or to an administrator; the response to all others
    is 404."""
    key = services().catalog.users.key_of(_user())
    found = services().events.webhook(webhook_id)
    if found is None or not (is_admin() or found.owner_id == key):
        abort(404)
    return found


def _page(webhook: WebhookInfo, secret: str = "") -> ResponseReturnValue:
    state, before = paging.parameter("state"), paging.parameter("before")
    state = state if state in STATES else ""
    rows = services().events.deliveries(
        webhook.id,
        paging.PAGE + 1,
        state=state or None,
        before=number(before, MAX_LONG_KEY),
    )
    shown = rows[: paging.PAGE]
    visible = (
        shown if is_admin() else services().events.deliveries_for_owner(webhook, shown)
    )
    owner = services().catalog.users.names([webhook.owner_id]).get(webhook.owner_id)
    page = render(
        "oci/webhook.html",
        webhook=webhook,
        owner=owner,
        secret=secret,
        state=state,
        states=STATES,
        deliveries=[
            DeliveryEntry(row, events.text_of(row.event.kind, row.event.data))
            for row in visible
        ],
        next_page=paging.here(before=str(shown[-1].event.id))
        if len(rows) > len(shown)
        else None,
    )
    return page, 200, _NO_STORE if secret else {}


def _form(
    webhook: WebhookInfo | None, values: dict[str, t.Any], error: str = ""
) -> ResponseReturnValue:
    """Render the form of a webhook.

    :param webhook: the webhook to change; None for a new one.
    :param values: the values of the fields.
    :param error: the reason why the form was refused.
    """
    recorded = services().config.events
    is_own = webhook.owner_id is not None if webhook else not is_admin()
    # Only events of repositories are sent to webhooks of users.
    groups = [group for group in GROUPS if not (is_own and group == "collection.*")]
    page = render(
        "oci/webhook_form.html",
        webhook=webhook,
        values=values,
        groups=groups,
        others=[kind for kind in values["kinds"] if kind not in GROUPS],
        kinds=changes.KINDS,
        unrecorded=[kind for kind in changes.KINDS if kind not in recorded],
        formats=FORMS,
        is_own=is_own,
        error=error,
    )
    return page, 422 if error else 200


def _sent() -> dict[str, t.Any]:
    """Return the fields of the form of a webhook."""
    chosen = [group for group in GROUPS if group in request.form.getlist("kinds")]
    return {
        "url": forms.field("url"),
        "form": forms.field("format"),
        "kinds": [*chosen, *forms.field("others").split()],
        "repositories": forms.field("repositories").split(),
    }


def _arguments(values: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the fields as arguments of the functions of ``registry.events``."""
    return {
        "format": values["form"],
        **{k: v for k, v in values.items() if k != "form"},
    }


def _done(text: Markup, webhook_id: str) -> ResponseReturnValue:
    return forms.done(text, "webhook", webhook_id=webhook_id)
