"""The deletion of images on the pages, and its undoing."""

from __future__ import annotations

import typing as t

from flask import abort
from flask import request
from flask import url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from ..catalog import RepositoryInfo
from ..errors import Denied
from ..errors import DigestInvalid
from ..errors import RegistryError
from ..services import services
from ..spec.digest import Digest
from ..spec.digest import is_digest
from ..spec.manifest import INDEX_TYPES
from . import forms
from .access import actor
from .access import authorize
from .access import reason
from .formatting import duration
from .formatting import short
from .translation import gettext
from .translation import ngettext
from .undo import Deletion

#: The maximum number of images that one form deletes.
MAX_IMAGES: t.Final = 100


def delete(name: str) -> ResponseReturnValue:
    """Delete the selected images and their tags, after a confirmation."""
    repository = authorize(name, "delete")
    wanted = [d for d in request.form.getlist("digest") if is_digest(d)][:MAX_IMAGES]
    contents, key = services().catalog.repository_contents, repository.key
    rows = contents.manifests(key, wanted)
    if not rows:
        text = gettext("Select at least one image.")
        return forms.done(text, "repository", name=name, show="untagged")
    if not forms.confirmed():
        return _ask(repository, list(rows), contents.tag_names(key, list(rows)))
    # An index before its children, which it needs.
    digests = sorted(rows, key=lambda d: rows[d].media_type not in INDEX_TYPES)
    deletion = Deletion(repository, "images")
    try:
        deleted = services().content.delete_manifests(
            repository, [Digest.parse(d) for d in digests], actor(repository)
        )
    except Denied as error:
        return forms.done(reason(error), "repository", name=name)
    text = ngettext("Deleted %(num)s image.", "Deleted %(num)s images.", len(deleted))
    return deletion.done(text)


def restore(name: str) -> ResponseReturnValue:
    """Undo the deletion of an image."""
    repository, digest = authorize(name, "push"), _digest()
    try:
        restored = services().content.restore_manifest(
            repository, digest, actor(repository)
        )
    except RegistryError as error:
        return forms.done(reason(error), "history", name=name)
    if not restored:
        text = gettext("The image can no longer be restored.")
        return forms.done(text, "history", name=name)
    text = gettext("%(digest)s was restored.", digest=short(str(digest)))
    return forms.done(text, "manifest", name=name, reference=str(digest))


def forget(name: str) -> ResponseReturnValue:
    """Make the deletion of an image final, after a confirmation."""
    repository, digest = authorize(name, "delete"), _digest()
    if not forms.confirmed():
        return forms.ask(
            gettext("Delete %(digest)s for good?", digest=short(str(digest))),
            [
                gettext("The image can no longer be restored."),
                gettext("The next collection frees the space that only it uses."),
            ],
            gettext("Delete for good"),
            url_for(".history", name=name),
            repository=repository,
        )
    services().content.forget_manifest(repository, digest, actor(repository))
    return forms.done(gettext("The image was deleted for good."), "history", name=name)


def _ask(
    repository: RepositoryInfo, digests: list[str], tags: dict[str, list[str]]
) -> ResponseReturnValue:
    """Ask for confirmation, with the images, their tags and the time to undo it."""
    names = [tag for found in tags.values() for tag in found]
    window = services().config.undo_period
    consequences = [
        Markup(", ").join(short(digest) for digest in digests),
        gettext("The images can no longer be pulled, also not by digest."),
    ]
    if names:
        shown = ", ".join(names[:30]) + (", …" if len(names) > 30 else "")
        consequences.append(gettext("Their tags are deleted: %(tags)s", tags=shown))
    if window is None:
        consequences.append(gettext("This cannot be undone."))
    else:
        consequences.append(
            gettext(
                "They can be restored from the history for %(time)s. Until then they"
                " use space.",
                time=duration(window),
            )
        )
    return forms.ask(
        ngettext("Delete %(num)s image?", "Delete %(num)s images?", len(digests)),
        consequences,
        ngettext("Delete the image", "Delete the images", len(digests)),
        url_for(".repository", name=repository.name),
        repository=repository,
    )


def _digest() -> Digest:
    try:
        return Digest.parse(forms.field("digest"))
    except DigestInvalid:
        abort(400)
