"""The translation of texts, if the application uses Flask-Babel.

Translations are read from the application's folders, in the domain ``flask_oci``.
"""

from __future__ import annotations

import typing as t
from importlib import import_module

from flask import current_app
from markupsafe import Markup

from ..http.host_extensions import host_extension

#: The translation domain: the files are called ``flask_oci.mo``.
DOMAIN: t.Final = "flask_oci"

#: The key of the domain in ``app.extensions``.
_EXTENSION: t.Final = "oci-translations"


def gettext(text: str, **values: t.Any) -> Markup:
    """Return a text in the visitor's language, with escaped values.

    :param text: the English text, with placeholders such as ``%(name)s``.
    """
    return Markup(_domain().gettext(text) if _has_babel() else text) % values  # noqa: S704


def ngettext(singular: str, plural: str, num: int, **values: t.Any) -> Markup:
    """Return the text for a number, which is its placeholder ``%(num)s``."""
    if _has_babel():
        text = _domain().get_translations().ngettext(singular, plural, num)
    else:
        text = singular if num == 1 else plural
    return Markup(text) % {"num": num, **values}  # noqa: S704


def _has_babel() -> bool:
    return host_extension("babel", "flask_babel") is not None


def _domain() -> t.Any:
    # A domain caches the translations of one application.
    extensions = current_app.extensions
    if _EXTENSION not in extensions:
        extensions[_EXTENSION] = import_module("flask_babel").Domain(domain=DOMAIN)
    return extensions[_EXTENSION]
