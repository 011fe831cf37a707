"""Labels and annotations about an image: its links, licences and description.

The keys are those of image-spec, annotations.md, "Pre-Defined Annotation Keys", which
images also have as labels.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from urllib.parse import urlsplit

from .messages import marked

_PREFIX: t.Final = "org.opencontainers.image."

#: The description of an image, in Markdown.
DESCRIPTION: t.Final = f"{_PREFIX}description"

#: The keys that are shown first, and their names.
_SHOWN: t.Final = {
    f"{_PREFIX}version": marked("Version"),
    f"{_PREFIX}source": marked("Source"),
    f"{_PREFIX}documentation": marked("Documentation"),
    f"{_PREFIX}url": marked("Website"),
    "home": marked("Website"),
    f"{_PREFIX}licenses": marked("Licences"),
    f"{_PREFIX}vendor": marked("Vendor"),
    f"{_PREFIX}authors": marked("Authors"),
    f"{_PREFIX}revision": marked("Revision"),
    f"{_PREFIX}base.name": marked("Base image"),
}

#: The maximum length of a value, in characters.
MAX_LENGTH: t.Final = 300


class Link(t.NamedTuple):
    """A statement of the image about itself."""

    label: str
    """The name of the value, in English."""

    text: str
    url: str
    """The address, or an empty string if the text is not a safe address."""


def links(*labels: Mapping[str, t.Any]) -> list[Link]:
    """Return the statements of an image about itself.

    :param labels: its labels and annotations; of equal keys, the first one counts.
    """
    found: dict[str, Link] = {}
    for key, label in _SHOWN.items():
        value = _first(key, labels)
        if value and label not in found:
            # A truncated address leads elsewhere.
            address = safe_url(value) if len(value) < MAX_LENGTH else ""
            found[label] = Link(label, _without_scheme(value, address), address)
    return list(found.values())


def description(*labels: Mapping[str, t.Any]) -> str:
    """Return the description of an image, in Markdown; empty if there is none."""
    return _first(DESCRIPTION, labels, 2000)


def safe_url(text: str) -> str:
    """Return an address that a page may link to; empty if it is none.

    The page shows the host of the address. A user name before the host could pretend to
    be another host.
    """
    if not text.isascii() or not text.isprintable() or " " in text:
        return ""
    try:
        parts = urlsplit(text)
        hostname = parts.hostname
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not hostname or "@" in parts.netloc:
        return ""
    return text


def _first(
    key: str, labels: t.Iterable[Mapping[str, t.Any]], length: int = MAX_LENGTH
) -> str:
    for found in labels:
        value = found.get(key)
        if isinstance(value, str) and value.strip():
            text = value.strip()[:length]
            return text.encode("utf-8", "replace").decode()
    return ""


def _without_scheme(text: str, address: str) -> str:
    return text.partition("://")[2].rstrip("/") if address else text
