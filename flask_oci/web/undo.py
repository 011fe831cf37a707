"""Undoing the last deletion of tags or images with one click."""

from __future__ import annotations

import typing as t

from flask import abort
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from ..catalog import RepositoryInfo
from ..errors import RegistryError
from ..http.bounds import MAX_LONG_KEY
from ..http.bounds import number
from ..services import services
from ..spec.digest import Digest
from . import forms
from .access import actor
from .access import authorize
from .access import may
from .access import reason
from .access import visitor
from .translation import gettext
from .translation import ngettext

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..core.actor import Actor

Kind = t.Literal["tags", "images"]


class Deletion:
    """A deletion that is about to be made.

    :param kind: whether tags or images are deleted.
    """

    def __init__(self, repository: RepositoryInfo, kind: Kind) -> None:
        self._repository = repository
        self._kind = kind
        self._after = self._last()

    def done(self, text: Markup) -> ResponseReturnValue:
        """Redirect to the repository, with a message and a button that undoes it."""
        name = self._repository.name
        until = self._last()
        if until > self._after and may("push", self._repository):
            forms.offer_undo(
                {
                    "name": name,
                    "kind": self._kind,
                    "after": self._after,
                    "until": until,
                }
            )
        return forms.done(text, "repository", name=name)

    def _last(self) -> int:
        deletions, key = services().catalog.deletions, self._repository.key
        if self._kind == "tags":
            return deletions.last_move(key)
        return deletions.last_image(key)


def undo(name: str) -> ResponseReturnValue:
    """Undo the deletions that the visitor made with one form."""
    repository = authorize(name, "push")
    by = actor(repository)
    after = number(forms.field("after"), MAX_LONG_KEY)
    until = number(forms.field("until"), MAX_LONG_KEY)
    kind = forms.field("kind")
    if after is None or until is None or kind not in ("tags", "images"):
        abort(400)
    if kind == "tags":
        count, problem = _count(_restored_tags(repository, after, until, by))
        text = ngettext("Restored %(num)s tag.", "Restored %(num)s tags.", count)
    else:
        count, problem = _count(_restored_images(repository, after, until, by))
        text = ngettext("Restored %(num)s image.", "Restored %(num)s images.", count)
    if not count and not problem:
        text = gettext("Nothing could be restored.")
    words = Markup(" ").join(filter(None, (text, problem)))
    return forms.done(words, "repository", name=name)


def _restored_tags(
    repository: RepositoryInfo, after: int, until: int, by: Actor
) -> Iterator[bool]:
    user = services().catalog.users.key_of(visitor())
    deletions = services().catalog.deletions
    for move in deletions.tags(repository.key, after, until, user):
        yield bool(services().content.restore_tag(repository, move, by))


def _restored_images(
    repository: RepositoryInfo, after: int, until: int, by: Actor
) -> Iterator[bool]:
    user, content = services().catalog.users.key_of(visitor()), services().content
    since = content.restorable_since()
    if since is None:
        return
    found = services().catalog.deletions.images(
        repository.key, after, until, user, since
    )
    for digest in found:
        yield content.restore_manifest(repository, Digest.parse(digest), by)


def _count(restored: Iterator[bool]) -> tuple[int, Markup | None]:
    """Return how much was restored, and the reason if the rest was not."""
    count = 0
    try:
        for is_restored in restored:
            count += is_restored
    except RegistryError as error:
        return count, reason(error)
    return count, None
