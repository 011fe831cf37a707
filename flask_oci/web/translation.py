"""The translation of texts, and the language of numbers.

The catalogs of this package are in the folder ``translations``. If the application uses
Flask-Babel, Flask-Babel selects the language, and catalogs of the domain ``flask_oci``
in the application's folders extend and replace those of this package. Otherwise
``OCI_LANGUAGES`` and the header ``Accept-Language`` select it.
"""

from __future__ import annotations

import gettext as catalogs
import typing as t
from functools import lru_cache
from importlib import import_module
from importlib import resources

from flask import current_app
from flask import has_request_context
from flask import request
from markupsafe import Markup

from ..http.host_extensions import host_extension
from ..services import services

#: The translation domain: the files are called ``flask_oci.mo``.
DOMAIN: t.Final = "flask_oci"

#: The language of the texts in the code and the templates.
SOURCE: t.Final = "en"

#: The folder of the catalogs of this package.
FOLDER: t.Final = str(resources.files(__package__) / "translations")

#: The key of the selected language in the environment of the request.
_LANGUAGE: t.Final = "flask_oci.language"

#: The key of the domain in ``app.extensions``.
_EXTENSION: t.Final = "oci-translations"


def gettext(text: str, **values: t.Any) -> Markup:
    """Return a text in the visitor's language, with escaped values.

    :param text: the English text, with placeholders such as ``%(name)s``.
    """
    return Markup(_translations().gettext(text)) % values  # noqa: S704


def ngettext(singular: str, plural: str, num: int, **values: t.Any) -> Markup:
    """Return the text for a number, which is its placeholder ``%(num)s``."""
    text = _translations().ngettext(singular, plural, num)
    return Markup(text) % {"num": number(num), **values}  # noqa: S704


def number(value: int) -> str:
    """Return a number with the separators of the visitor's language."""
    numbers = babel("numbers")
    if numbers is None or language() == SOURCE:
        return f"{value:,}" if language() == SOURCE else str(value)
    return t.cast(str, numbers.format_decimal(value, locale=locale()))


def language() -> str:
    """Return the language of the page, as an HTML attribute names it."""
    if _has_babel():
        # A language without a catalog has English pages.
        return locale().replace("_", "-") if _translations().files else SOURCE
    if not has_request_context():
        return services().config.languages[0]
    if _LANGUAGE not in request.environ:
        offered = services().config.languages
        request.environ[_LANGUAGE] = request.accept_languages.best_match(
            offered, offered[0]
        )
    return t.cast(str, request.environ[_LANGUAGE])


def is_negotiated() -> bool:
    """Return True if ``Accept-Language`` selects the language of the page."""
    return not _has_babel() and len(services().config.languages) > 1


def babel(module: str) -> t.Any:
    """Return a module of Babel, or None if it is not installed."""
    try:
        return import_module(f"babel.{module}")
    except ImportError:
        return None


def locale() -> str:
    """Return the name of the visitor's locale, such as ``de`` or ``de_AT``."""
    if _has_babel():
        return str(import_module("flask_babel").get_locale() or SOURCE)
    return language()


def _has_babel() -> bool:
    return host_extension("babel", "flask_babel") is not None


def _translations() -> t.Any:
    return _domain().get_translations() if _has_babel() else _shipped(language())


def _domain() -> t.Any:
    # A domain caches the translations of one application.
    extensions = current_app.extensions
    if _EXTENSION not in extensions:
        flask_babel = import_module("flask_babel")
        folders = flask_babel.get_babel().translation_directories
        extensions[_EXTENSION] = flask_babel.Domain([FOLDER, *folders], DOMAIN)
    return extensions[_EXTENSION]


@lru_cache
def _shipped(language: str) -> catalogs.NullTranslations:
    if language == SOURCE:
        return catalogs.NullTranslations()
    return catalogs.translation(DOMAIN, FOLDER, [language])
