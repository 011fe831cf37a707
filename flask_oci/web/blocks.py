"""Blocking an image on its page, and removing the block."""

from __future__ import annotations

from flask import abort
from flask.typing import ResponseReturnValue

from ..catalog.blocks import TooManyBlocks
from ..errors import DigestInvalid
from ..services import services
from ..spec.digest import Digest
from . import forms
from .access import authorize
from .access import visitor
from .formatting import short
from .translation import gettext


def block(name: str) -> ResponseReturnValue:
    """Block a digest in a repository, for users who may manage it."""
    repository, digest = authorize(name, "manage"), _digest()
    try:
        services().blocks.add(
            digest,
            repository=repository,
            reason=" ".join(forms.field("reason").split()),
            by=visitor(),
        )
    except TooManyBlocks:
        text = gettext("There are too many blocks. Remove some of them first.")
    except ValueError:
        text = gettext("A block needs a reason of at most 500 characters.")
    else:
        text = gettext("%(digest)s is blocked now.", digest=short(digest))
    return forms.done(text, "manifest", name=name, reference=digest)


def unblock(name: str) -> ResponseReturnValue:
    """Remove the block of a digest in a repository, for users who may manage it."""
    repository, digest = authorize(name, "manage"), _digest()
    services().blocks.remove(digest, repository=repository, by=visitor())
    text = gettext("The block was removed.")
    return forms.done(text, "manifest", name=name, reference=digest)


def _digest() -> str:
    try:
        return str(Digest.parse(forms.field("digest")))
    except DigestInvalid:
        abort(400)
