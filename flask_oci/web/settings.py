"""The settings of a repository, for users who may manage it."""

from __future__ import annotations

from dataclasses import replace

from flask import abort
from flask import url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from ..catalog import RepositoryInfo
from ..catalog.jobs import RETENTION
from ..catalog.repository_info import namespace_of
from ..core.repositories import MAX_DESCRIPTION
from ..errors import NameInvalid
from ..rules.paths import path_text
from ..rules.quota import QuotaExceeded
from ..services import services
from ..spec.reference import is_name
from . import forms
from .access import authorize
from .access import is_admin
from .access import may
from .access import visitor
from .formatting import size
from .formatting import visibility_name
from .rendering import Page
from .rendering import render
from .translation import gettext
from .translation import ngettext


def settings(name: str) -> Page:
    """Show the settings of a repository."""
    return page(authorize(name, "manage"))


def describe(name: str) -> ResponseReturnValue:
    """Change the description of a repository."""
    repository = authorize(name, "manage")
    text = forms.field("description").replace("\r\n", "\n")
    try:
        services().administration.describe(repository, text, by=visitor())
    except ValueError:
        message = gettext(
            "The description is too long; the limit is %(limit)s.",
            limit=size(MAX_DESCRIPTION),
        )
        return page(repository, message, description=text), 422
    return forms.done(gettext("The description was saved."), "settings", name=name)


def set_visibility(name: str) -> ResponseReturnValue:
    """Change the visibility of a repository, after a confirmation."""
    repository = authorize(name, "manage")
    visibility = forms.field("visibility")
    consequences = {
        "private": gettext("Only users with permission can see and pull it."),
        "internal": gettext("All signed-in users can see and pull it."),
        "public": gettext("Everyone can see and pull it, signed in or not."),
    }
    if services().config.require_login:
        consequences["public"] = consequences["internal"]
    if visibility not in consequences or _is_visibility_fixed(repository):
        abort(400)
    label = visibility_name(visibility)
    if not forms.confirmed():
        return forms.ask(
            gettext("Make %(name)s %(visibility)s?", name=name, visibility=label),
            [
                consequences[visibility],
                gettext("This includes its history and the names of deleted tags."),
                gettext("The change applies from the next request on."),
            ],
            gettext("Make it %(visibility)s", visibility=label),
            url_for(".settings", name=name),
            danger=visibility == "public",
            repository=repository,
        )
    services().administration.set_visibility(repository, visibility, by=visitor())
    return forms.done(
        gettext("The repository is %(visibility)s now.", visibility=label),
        "settings",
        name=name,
    )


def rename(name: str) -> ResponseReturnValue:
    """Rename a repository to a name that the visitor may push to."""
    repository, new = authorize(name, "manage"), forms.field("name")
    # The message is the same whether or not the repository exists.
    if not is_name(new) or not may("push", _at(new)):
        message = gettext("You cannot use the name “%(name)s”.", name=new)
        return page(repository, message), 422
    users = services().catalog.users
    user = services().administration.owner_by_name(repository, new)
    owner = "" if user is None else users.namespace_of(user)
    path = path_text(namespace_of(new))
    if not services().catalog.quotas.has_room_for(user, repository, new):
        return page(repository, _exceeds_quota(owner or path)), 422
    if not forms.confirmed():
        return forms.ask(
            gettext("Rename %(old)s to %(new)s?", old=name, new=new),
            _effects_of_rename(owner, replace(repository, name=new)),
            gettext("Rename"),
            url_for(".settings", name=name),
            danger=False,
            repository=repository,
        )
    try:
        services().administration.change(
            repository, new_name=new, within_quota=True, by=visitor()
        )
    except QuotaExceeded:
        return page(repository, _exceeds_quota(owner or path)), 422
    except (NameInvalid, ValueError):
        message = gettext("“%(name)s” already exists.", name=new)
        return page(repository, message), 422
    message = gettext("The repository was renamed to %(name)s.", name=new)
    if owner:
        return forms.done(message, "repositories")
    return forms.done(message, "settings", name=new)


def transfer(name: str) -> ResponseReturnValue:
    """Transfer a repository to another owner."""
    repository, to = authorize(name, "manage"), forms.field("owner")
    user = services().catalog.users.by_name(to)
    if user is None or not services().accounts.is_active(user):
        message = gettext("No active user is called “%(name)s”.", name=to)
        return page(repository, message), 422
    if not services().catalog.quotas.has_room_for(user, repository):
        return page(repository, _exceeds_quota(to)), 422
    if not forms.confirmed():
        return forms.ask(
            gettext("Transfer %(name)s to %(owner)s?", name=name, owner=to),
            [
                gettext("%(owner)s becomes the owner, with full access.", owner=to),
                gettext("The repository keeps its name."),
                gettext("You may lose your own permission to change or see it."),
            ],
            gettext("Transfer"),
            url_for(".settings", name=name),
            repository=repository,
        )
    try:
        services().administration.change(
            repository, owner=user, within_quota=True, by=visitor()
        )
    except QuotaExceeded:
        return page(repository, _exceeds_quota(to)), 422
    message = gettext("%(name)s was transferred to %(owner)s.", name=name, owner=to)
    return forms.done(message, "repositories")


def protect(name: str) -> ResponseReturnValue:
    """Set the patterns of protected and of immutable tags."""
    repository = authorize(name, "manage")
    try:
        services().tag_protection.set(
            repository=repository,
            protected=forms.field("protected").split(),
            immutable=forms.field("immutable").split(),
            by=visitor(),
        )
    except ValueError:
        message = gettext("Invalid tag pattern: use tag characters, “*” and “?”.")
        return page(repository, message), 422
    return forms.done(gettext("The patterns were saved."), "settings", name=name)


def delete(name: str) -> ResponseReturnValue:
    """Delete a repository, after a confirmation."""
    repository = authorize(name, "manage")
    if not forms.confirmed():
        figures = services().catalog.repository_list.figures([repository.key])
        (totals,) = figures.values()
        return forms.ask(
            gettext("Delete %(name)s?", name=name),
            [
                ngettext(
                    "%(num)s tag and all images are deleted, with everything that is"
                    " attached to them.",
                    "%(num)s tags and all images are deleted, with everything that is"
                    " attached to them.",
                    totals.tags,
                ),
                gettext("None of them can be pulled any more."),
                gettext(
                    "The next garbage collection frees up to %(size)s; blobs that"
                    " other repositories share stay.",
                    size=size(totals.bytes),
                ),
                gettext("This cannot be undone."),
            ],
            gettext("Delete the repository"),
            url_for(".settings", name=name),
            repository=repository,
        )
    services().administration.delete(repository, by=visitor())
    return forms.done(gettext("%(name)s was deleted.", name=name), "repositories")


def page(
    repository: RepositoryInfo,
    error: str = "",
    description: str | None = None,
    rules: str | None = None,
) -> Page:
    """Render the settings.

    :param error: the reason why the last form was refused.
    :param description: the refused description, instead of the stored one.
    :param rules: the refused retention rules, instead of the stored ones.
    """
    catalog = services().catalog
    listed = catalog.repository_list.about(repository.key)
    stored = listed.description if listed else ""
    return render(
        "oci/settings.html",
        repository=repository,
        owner=catalog.users.names([repository.owner_id]).get(repository.owner_id, ""),
        description=stored if description is None else description,
        is_login_required=services().config.require_login,
        is_visibility_fixed=_is_visibility_fixed(repository),
        protection=services().tag_protection.get(repository=repository),
        rules=(
            services().retention.get(repository=repository)
            if rules is None
            else rules.splitlines()
        ),
        inherited_protection=services().inherited_rules.protection(repository),
        inherited_retention=services().inherited_rules.retention(repository),
        is_retention_overdue=services().jobs.overdue(RETENTION) is not None,
        may_add_webhooks=is_admin() or services().config.owner_webhooks is not None,
        error=error,
    )


def _effects_of_rename(owner: str, after: RepositoryInfo) -> list[str]:
    """Return the consequences of a rename.

    :param owner: the user who becomes the owner; empty if the owner stays.
    :param after: the repository with its new name.
    """
    effects: list[str] = [
        gettext("The content stays the same, under the new name."),
        gettext(
            "Pulls by the old name continue to work, with a warning, until a user"
            " pushes to it."
        ),
        gettext("Pushes must use the new name from now on."),
    ]
    if owner:
        effects += [
            gettext("%(owner)s becomes the owner, with full access.", owner=owner),
            gettext("The repository loses its own rules.")
            if _is_visibility_fixed(after)
            else gettext("The repository becomes private, without rules of its own."),
            gettext("You may lose your own permission to change or see it."),
        ]
    return effects


def _exceeds_quota(owner: str) -> Markup:
    return gettext("The repository exceeds the quota of %(owner)s.", owner=owner)


def _at(name: str) -> RepositoryInfo:
    return services().catalog.repositories.find(name)


def _is_visibility_fixed(repository: RepositoryInfo) -> bool:
    """Return True if the application sets the visibility, so that users cannot."""
    return services().policy.decided_visibility(repository) is not None
