"""The history of tags: listing and undoing moves, and deleting tags."""

from __future__ import annotations

import typing as t

from flask import abort
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue

from ..catalog.deleted_manifests import DeletedManifestRow
from ..errors import Denied
from ..http.bounds import MAX_LONG_KEY
from ..http.bounds import number
from ..services import services
from ..spec.reference import is_tag
from . import forms
from . import paging
from .access import actor
from .access import authorize
from .access import may
from .access import reason
from .rendering import Page
from .rendering import render
from .translation import gettext
from .translation import ngettext
from .undo import Deletion

#: The maximum number of listed deleted images.
MAX_DELETED: t.Final = 50


def history(name: str) -> Page:
    """Show the history of the tags of a repository, or of one tag."""
    repository, catalog = authorize(name), services().catalog
    tag, before = paging.parameter("tag"), paging.parameter("before")
    moves = catalog.tag_history.moves(
        repository.key,
        paging.PAGE + 1,
        tag=tag,
        before=number(before, MAX_LONG_KEY),
    )
    shown = moves[: paging.PAGE]
    deleted = [] if tag or before else _deleted(repository.key)
    return render(
        "oci/history.html",
        repository=repository,
        tag=tag,
        moves=shown,
        deleted=deleted,
        names=catalog.users.names(
            [move.moved_by_id for move in shown]
            + [found.deleted_by_id for found in deleted]
        ),
        may_push=may("push", repository),
        may_delete=may("delete", repository),
        next_page=paging.here(before=str(shown[-1].id))
        if len(moves) > len(shown)
        else None,
    )


def _deleted(repository_id: int) -> list[DeletedManifestRow]:
    """Return the latest deleted images that can be restored."""
    parts = services()
    since = parts.content.restorable_since()
    if since is None:
        return []
    return parts.catalog.deleted_manifests.page(repository_id, since, MAX_DELETED)


def restore(name: str) -> ResponseReturnValue:
    """Undo a move of a tag."""
    repository, move = (
        authorize(name, "push"),
        number(forms.field("move"), MAX_LONG_KEY),
    )
    if move is None:
        abort(400)
    try:
        tag = services().content.restore_tag(repository, move, actor(repository))
    except Denied as error:
        return forms.done(reason(error), "history", name=name)
    if tag is None:
        message = gettext("The previous image of the tag no longer exists.")
        return forms.done(message, "history", name=name)
    message = gettext("%(tag)s was restored.", tag=tag)
    return forms.done(message, "history", name=name, tag=tag)


def delete_tags(name: str) -> ResponseReturnValue:
    """Delete the selected tags, after a confirmation."""
    repository = authorize(name, "delete")
    tags = [tag for tag in dict.fromkeys(request.form.getlist("tag")) if is_tag(tag)]
    if not tags:
        return forms.done(gettext("Select at least one tag."), "repository", name=name)
    if not forms.confirmed():
        return forms.ask(
            ngettext("Delete %(num)s tag?", "Delete %(num)s tags?", len(tags)),
            [
                ", ".join(tags),
                ngettext(
                    "The image can no longer be pulled by this tag.",
                    "The images can no longer be pulled by these tags.",
                    len(tags),
                ),
                ngettext(
                    "The image stays and can be pulled by digest until the site's rules"
                    " for untagged images, or a user, delete it.",
                    "The images stay and can be pulled by digest until the site's rules"
                    " for untagged images, or a user, delete them.",
                    len(tags),
                ),
                ngettext(
                    "Until then, the tag can be restored from the history.",
                    "Until then, the tags can be restored from the history.",
                    len(tags),
                ),
            ],
            ngettext("Delete the tag", "Delete the tags", len(tags)),
            url_for(".repository", name=name),
            repository=repository,
        )
    deletion = Deletion(repository, "tags")
    try:
        deleted = services().content.delete_tags(repository, tags, actor(repository))
    except Denied as error:
        return forms.done(reason(error), "repository", name=name)
    message = ngettext("Deleted %(num)s tag.", "Deleted %(num)s tags.", len(deleted))
    return deletion.done(message)
