"""How tags moved, and putting one back; and deleting some."""

from __future__ import annotations

from flask import abort
from flask import render_template
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from markupsafe import escape

from ..errors import Denied
from ..http.bounds import number
from ..services import services
from ..spec.reference import is_tag
from . import forms
from . import paging
from .access import actor
from .access import admit
from .access import may
from .translation import gettext
from .translation import ngettext


def history(name: str) -> str:
    """Show how the tags of a repository, or one of them, moved."""
    repository, catalog = admit(name), services().catalog
    tag, before = paging.parameter("tag"), paging.parameter("before")
    moves = catalog.repository_contents.moves(
        repository.key,
        paging.PAGE + 1,
        tag=tag,
        before=number(before),
    )
    shown = moves[: paging.PAGE]
    return render_template(
        "oci/history.html",
        repository=repository,
        tag=tag,
        moves=shown,
        names=catalog.users.names(move.moved_by_id for move in shown),
        may_push=may("push", repository),
        next_page=paging.here(before=str(shown[-1].id))
        if len(moves) > len(shown)
        else None,
    )


def restore(name: str) -> ResponseReturnValue:
    """Put a tag back where it was before a move."""
    repository, move = admit(name, "push"), number(forms.field("move"))
    if move is None:
        abort(400)
    try:
        tag = services().content.restore_tag(repository, move, actor(repository))
    except Denied as error:
        return forms.done(escape(error.message), "history", name=name)
    if tag is None:
        message = gettext("What the tag pointed at is no longer here.")
        return forms.done(message, "history", name=name)
    message = gettext("%(tag)s is back where it was.", tag=tag)
    return forms.done(message, "history", name=name, tag=tag)


def delete_tags(name: str) -> ResponseReturnValue:
    """Take some tags away, after saying which."""
    repository = admit(name, "delete")
    tags = [tag for tag in dict.fromkeys(request.form.getlist("tag")) if is_tag(tag)]
    if not tags:
        return forms.done(gettext("Choose some tags first."), "repository", name=name)
    if not forms.confirmed():
        return forms.ask(
            ngettext("Delete %(num)s tag?", "Delete %(num)s tags?", len(tags)),
            [
                ", ".join(tags),
                gettext("Nobody can pull by these names from then on."),
                gettext(
                    "The images stay, and can be pulled by their digests, until the"
                    " site's rules for untagged ones, or somebody, delete them."
                ),
                gettext("The history of tags can put them back until then."),
            ],
            ngettext("Delete the tag", "Delete the tags", len(tags)),
            url_for(".repository", name=name),
            repository=repository,
        )
    try:
        gone = services().content.delete_tags(repository, tags, actor(repository))
    except Denied as error:
        return forms.done(escape(error.message), "repository", name=name)
    message = ngettext(
        "%(num)s tag is deleted.", "%(num)s tags are deleted.", len(gone)
    )
    return forms.done(message, "repository", name=name)
