"""Views for Flask-Admin: the registry in the admin pages of an application.

The views show the registry's tables to administrators. A change is made by the
functions of the registry, which check it, record it and send its events. Needs the
extra ``admin``.
"""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from flask import abort
from flask import flash
from flask import g
from flask_admin.actions import action
from flask_admin.contrib.sqla import ModelView
from flask_admin.form import SecureForm

from .errors import RegistryError
from .services import services

if t.TYPE_CHECKING:
    from .extension import Registry

#: The key of the names of users in ``flask.g``.
_NAMES: t.Final = "_oci_admin_names"


class RegistryView(ModelView):
    """A table of the registry, for administrators. The table is read-only, except for
    what a subclass does by a function of the registry.

    :param registry: the registry of the application.
    :param model: a model of ``registry.models``.
    :param session: the Flask-SQLAlchemy extension, or its session.
    :param options: the other arguments of Flask-Admin's ``ModelView``, such as
        ``category``.
    """

    can_create = False
    can_edit = False
    can_delete = False
    can_export = False
    can_view_details = False
    column_display_pk = True
    page_size = 50
    # Flask-Admin has no CSRF protection by default.
    form_base_class = SecureForm

    def __init__(
        self, registry: Registry, model: type[t.Any], session: t.Any, **options: t.Any
    ) -> None:
        self._registry = registry
        self.column_formatters = {"owner_id": _user, "user_id": _user}
        options.setdefault("endpoint", f"oci_{model.__name__.lower()}")
        options.setdefault("category", "Registry")
        super().__init__(model, session, **options)

    def scaffold_form(self) -> type[t.Any]:
        """Return a form without fields, because no row is edited."""
        return t.cast("type[t.Any]", self.form_base_class)

    def is_accessible(self) -> bool:
        """Return True if the visitor is an administrator of the registry."""
        parts, user = services(), visitor()
        is_admin = parts.hooks.is_admin
        return (
            user is not None
            and is_admin is not None
            and parts.accounts.is_active(user)
            and is_admin(user)
        )

    def inaccessible_callback(self, name: str, **kwargs: t.Any) -> t.NoReturn:
        """Answer all other visitors as if there were no view."""
        abort(404)

    def delete_model(self, model: t.Any) -> bool:
        """Delete a row by the function of the registry.

        :return: True if it was deleted.
        """
        try:
            return self.delete_row(model)
        except RegistryError as error:
            flash(error.message, "error")
            return False

    def delete_row(self, row: t.Any) -> bool:
        """Delete what a row stands for; a subclass with ``can_delete`` does so.

        :return: True if it was deleted.
        """
        raise NotImplementedError


class RepositoryView(RegistryView):
    """The repositories. An administrator can delete one, with all of its content."""

    can_delete = True
    column_list = ("name", "owner_id", "visibility", "pushed_at", "pull_count")
    column_searchable_list = ("name",)
    column_filters = ("visibility",)
    column_default_sort = "name"

    def delete_row(self, row: t.Any) -> bool:
        """Delete a repository, as its settings page does."""
        name = row.name
        found = self._registry.repositories.find(name)
        if found is None or found.id != row.id:
            return False
        self._registry.repositories.delete(found, by=visitor())
        return True


class TagView(RegistryView):
    """The tags of all repositories."""

    column_list = ("name", "repository_id", "updated_at")
    column_searchable_list = ("name",)
    column_default_sort = ("updated_at", True)


class CredentialView(RegistryView):
    """The access and refresh tokens, without their hashes. An administrator can revoke
    them."""

    can_delete = True
    column_list = (
        *("id", "user_id", "kind", "name", "actions", "repositories"),
        *("created_at", "expires_at", "last_used_at"),
    )
    column_searchable_list = ("name",)
    column_filters = ("kind",)
    column_default_sort = ("created_at", True)

    def delete_row(self, row: t.Any) -> bool:
        """Revoke a token, and all tokens issued with it."""
        return self._registry.access_tokens.revoke(row.id, by=visitor())


class WebhookView(RegistryView):
    """The webhooks, without their secrets. An administrator can test, disable, enable
    and delete them."""

    can_delete = True
    column_list = (
        *("id", "url", "form", "kinds", "repositories"),
        *("disabled_at", "failures", "paused_until"),
    )
    column_default_sort = "created_at"

    def delete_row(self, row: t.Any) -> bool:
        """Delete a webhook and its deliveries."""
        return self._registry.events.remove_webhook(row.id, by=visitor())

    @action("test", "Send a test")
    def send_tests(self, ids: Sequence[str]) -> None:
        """Send a test notification to webhooks, and show the answers."""
        for key in ids:
            attempt = self._registry.events.send_test(key)
            if attempt is not None:
                text = attempt.error or f"It answered {attempt.status}."
                flash(f"{key}: {text}", "error" if attempt.error else "success")

    @action("disable", "Disable")
    def disable(self, ids: Sequence[str]) -> None:
        """Disable webhooks."""
        for key in ids:
            self._registry.events.change_webhook(key, enabled=False, by=visitor())

    @action("enable", "Enable")
    def enable(self, ids: Sequence[str]) -> None:
        """Enable webhooks."""
        for key in ids:
            self._registry.events.change_webhook(key, enabled=True, by=visitor())


class DeliveryView(RegistryView):
    """The deliveries to webhooks. An administrator can make them again."""

    column_list = ("id", "webhook_id", "event_id", "state", "attempts", "due_at")
    column_filters = ("webhook_id", "state")
    column_default_sort = ("id", True)

    @action("replay", "Deliver again")
    def replay(self, ids: Sequence[str]) -> None:
        """Schedule finished deliveries again."""
        keys = [int(key) for key in ids if key.isdecimal()]
        rows = self.get_query().filter(self.model.id.in_(keys)).all()
        for webhook, event in [(row.webhook_id, row.event_id) for row in rows]:
            self._registry.events.replay([event], webhook=webhook)


class EventView(RegistryView):
    """The events."""

    column_list = ("id", "kind", "repository", "at", "data")
    column_searchable_list = ("repository",)
    column_filters = ("kind",)
    column_default_sort = ("id", True)


class RuleView(RegistryView):
    """The quotas, the retention rules and the protected tags that are set."""

    column_list = ("kind", "repository_id", "owner_id", "value", "changed_at")
    column_filters = ("kind",)
    column_default_sort = ("changed_at", True)


class JobView(RegistryView):
    """The background jobs."""

    column_list = ("name", "started_at", "completed_at", "summary", "failure")
    column_default_sort = "name"


#: The views, by the name of their model and their name in the menu.
VIEWS: t.Final[tuple[tuple[str, str, type[RegistryView]], ...]] = (
    ("Repository", "Repositories", RepositoryView),
    ("Tag", "Tags", TagView),
    ("Credential", "Tokens", CredentialView),
    ("Rule", "Rules", RuleView),
    ("Webhook", "Webhooks", WebhookView),
    ("Delivery", "Deliveries", DeliveryView),
    ("Event", "Events", EventView),
    ("Job", "Background work", JobView),
)


def make_views(
    registry: Registry, session: t.Any, *, category: str = "Registry"
) -> list[RegistryView]:
    """Return the views of the registry's tables, for ``Admin.add_view``.

    :param registry: the registry of the application.
    :param session: the Flask-SQLAlchemy extension, or its session.
    :param category: the menu that the views appear in.
    """
    return [
        view(
            registry,
            getattr(registry.models, model),
            session,
            name=name,
            category=category,
        )
        for model, name, view in VIEWS
    ]


def visitor() -> t.Any:
    """Return the user who makes the request, or None."""
    return services().authenticator.visitor()


def _user(_view: object, _context: object, row: t.Any, column: str) -> str:
    """Return the name of the user whose key a column has."""
    names: dict[t.Any, str] = g.setdefault(_NAMES, {})
    key = getattr(row, column)
    if key not in names:
        names.update({key: "", **services().catalog.users.names([key])})
    return names[key]
