"""The texts of the pages, in the visitor's language where the host has Flask-Babel.

Translations are looked for in the host's own folders, in a domain of ours.
"""

from __future__ import annotations

import typing as t
from importlib import import_module

from flask import current_app
from markupsafe import Markup

#: What the files of translations are called: ``flask_oci.mo``.
DOMAIN: t.Final = "flask_oci"

#: Where an application keeps them.
_EXTENSION: t.Final = "oci-translations"


def gettext(text: str, **values: t.Any) -> Markup:
    """Return a text of ours; what is put into it is escaped.

    :param text: in English, with ``%(name)s`` where a value goes.
    """
    return Markup(_domain().gettext(text) if _has_babel() else text) % values  # noqa: S704


def ngettext(singular: str, plural: str, num: int, **values: t.Any) -> Markup:
    """Return the text for a number of things, which is ``%(num)s`` in it."""
    if _has_babel():
        text = _domain().get_translations().ngettext(singular, plural, num)
    else:
        text = singular if num == 1 else plural
    return Markup(text) % {"num": num, **values}  # noqa: S704


def _has_babel() -> bool:
    return "babel" in current_app.extensions


def _domain() -> t.Any:
    # It remembers what it has read, from the folders of one application.
    known = current_app.extensions
    if _EXTENSION not in known:
        known[_EXTENSION] = import_module("flask_babel").Domain(domain=DOMAIN)
    return known[_EXTENSION]
