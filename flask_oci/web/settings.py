"""What the people of a repository can change about it."""

from __future__ import annotations

from flask import abort
from flask import render_template
from flask import url_for
from flask.typing import ResponseReturnValue

from ..auth.policy import is_active
from ..catalog import RepositoryInfo
from ..core.repositories import MAX_DESCRIPTION
from ..errors import NameInvalid
from ..services import services
from ..spec.reference import is_name
from . import forms
from .access import admit
from .access import may
from .access import visitor
from .formatting import size
from .translation import gettext
from .translation import ngettext


def settings(name: str) -> str:
    """Show what can be changed about a repository, to who may manage it."""
    return page(admit(name, "manage"))


def describe(name: str) -> ResponseReturnValue:
    """Change what is said about a repository."""
    repository = admit(name, "manage")
    text = forms.field("description").replace("\r\n", "\n")
    try:
        services().administration.describe(repository, text, by=visitor())
    except ValueError:
        message = gettext(
            "A description has at most %(most)s.", most=size(MAX_DESCRIPTION)
        )
        return page(repository, message, description=text), 422
    return forms.done(gettext("The description is saved."), "settings", name=name)


def set_visibility(name: str) -> ResponseReturnValue:
    """Change who may see a repository."""
    repository = admit(name, "manage")
    visibility = forms.field("visibility")
    consequences = {
        "private": gettext("Only those who have a right to it can see and pull it."),
        "internal": gettext("Everybody who is signed in can see and pull it."),
        "public": gettext("Anybody can see and pull it, signed in or not."),
    }
    if visibility not in consequences or _is_decided(repository):
        abort(400)
    if not forms.confirmed():
        return forms.ask(
            gettext("Make %(name)s %(visibility)s?", name=name, visibility=visibility),
            [
                consequences[visibility],
                gettext("They see its history, too, and the names of deleted tags."),
                gettext("That is so from the next request on."),
            ],
            gettext("Make it %(visibility)s", visibility=visibility),
            url_for(".settings", name=name),
            danger=visibility == "public",
            repository=repository,
        )
    services().administration.set_visibility(repository, visibility, by=visitor())
    return forms.done(
        gettext("It is %(visibility)s now.", visibility=visibility),
        "settings",
        name=name,
    )


def rename(name: str) -> ResponseReturnValue:
    """Give a repository another name, which the visitor may push to."""
    repository, new = admit(name, "manage"), forms.field("name")
    # Whoever may not push there is not told whether there is something.
    if not is_name(new) or not may("push", _at(new)):
        message = gettext("You cannot use the name “%(name)s”.", name=new)
        return page(repository, message), 422
    if not forms.confirmed():
        return forms.ask(
            gettext("Rename %(old)s to %(new)s?", old=name, new=new),
            [
                gettext("What was pushed stays as it is, under the new name."),
                gettext(
                    "Pulls by the old name go on, with a warning, until somebody"
                    " pushes to it."
                ),
                gettext("Whoever pushes has to use the new name from now on."),
            ],
            gettext("Rename it"),
            url_for(".settings", name=name),
            danger=False,
            repository=repository,
        )
    try:
        services().administration.change(repository, new_name=new, by=visitor())
    except (NameInvalid, ValueError):
        message = gettext("There is something called “%(name)s”.", name=new)
        return page(repository, message), 422
    return forms.done(
        gettext("It is called %(name)s now.", name=new), "settings", name=new
    )


def transfer(name: str) -> ResponseReturnValue:
    """Give a repository to somebody else."""
    repository, to = admit(name, "manage"), forms.field("owner")
    user = services().catalog.users.by_name(to)
    if user is None or not is_active(user):
        message = gettext("There is nobody called “%(name)s”.", name=to)
        return page(repository, message), 422
    catalog = services().catalog
    if not catalog.quotas.has_room_for(catalog.users.key_of(user), to, repository):
        # They could push nothing more, and did not ask for it.
        message = gettext("%(owner)s has no room for it.", owner=to)
        return page(repository, message), 422
    if not forms.confirmed():
        return forms.ask(
            gettext("Give %(name)s to %(owner)s?", name=name, owner=to),
            [
                gettext("%(owner)s owns it, and can do everything to it.", owner=to),
                gettext("It keeps its name."),
                gettext("You may lose your own right to change, or to see, it."),
            ],
            gettext("Give it away"),
            url_for(".settings", name=name),
            repository=repository,
        )
    services().administration.transfer(repository, user, by=visitor())
    message = gettext("%(name)s belongs to %(owner)s now.", name=name, owner=to)
    return forms.done(message, "repositories")


def protect(name: str) -> ResponseReturnValue:
    """Change which tags only who may manage a repository can move, and which nobody
    can."""
    repository = admit(name, "manage")
    try:
        services().tag_protection.set(
            repository=repository,
            protected=forms.field("protected").split(),
            immutable=forms.field("immutable").split(),
            by=visitor(),
        )
    except ValueError:
        message = gettext("A pattern is part of a tag, in which “*” is any text.")
        return page(repository, message), 422
    return forms.done(gettext("The patterns are saved."), "settings", name=name)


def delete(name: str) -> ResponseReturnValue:
    """Delete a repository."""
    repository = admit(name, "manage")
    if not forms.confirmed():
        figures = services().catalog.repository_list.figures([repository.key])
        (found,) = figures.values()
        return forms.ask(
            gettext("Delete %(name)s?", name=name),
            [
                ngettext(
                    "%(num)s tag and every image go, signatures and the like as well.",
                    "%(num)s tags and every image go, signatures and the like as well.",
                    found.tags,
                ),
                gettext("Nobody can pull any of them from then on."),
                gettext(
                    "Up to %(size)s of the disk are free after the next collection;"
                    " what other repositories share stays.",
                    size=size(found.bytes),
                ),
                gettext("This cannot be undone."),
            ],
            gettext("Delete everything"),
            url_for(".settings", name=name),
            repository=repository,
        )
    services().administration.delete(repository, by=visitor())
    return forms.done(gettext("%(name)s is deleted.", name=name), "repositories")


def page(
    repository: RepositoryInfo,
    error: str = "",
    description: str | None = None,
    rules: str | None = None,
) -> str:
    """Show what can be changed, and what could not be, and why."""
    catalog = services().catalog
    about = catalog.repository_list.about(repository.key)
    said = about.description if about else ""
    return render_template(
        "oci/settings.html",
        repository=repository,
        owner=catalog.users.names([repository.owner_id]).get(repository.owner_id, ""),
        description=said if description is None else description,
        is_decided=_is_decided(repository),
        protection=services().tag_protection.get(repository=repository),
        rules=(
            services().retention.get(repository=repository)
            if rules is None
            else rules.splitlines()
        ),
        error=error,
    )


def _at(name: str) -> RepositoryInfo:
    return services().catalog.repositories.find(name)


def _is_decided(repository: RepositoryInfo) -> bool:
    """Tell whether the host decides who may see a repository, and no page does."""
    return services().policy.decided_visibility(repository) is not None
