"""The languages of the pages."""

from __future__ import annotations

import typing as t

#: The languages of the catalogs in ``flask_oci/web/translations``, and English, the
#: language of the texts in the code.
LANGUAGES: t.Final = ("en", "de", "es", "fr", "ja")


def languages(value: object) -> tuple[str, ...]:
    """Return the languages of the pages, in the order of preference."""
    if (
        isinstance(value, list | tuple)
        and value
        and all(isinstance(each, str) and each in LANGUAGES for each in value)
    ):
        return tuple(dict.fromkeys(value))
    raise ValueError(f"must be a list with some of {', '.join(LANGUAGES)}")
