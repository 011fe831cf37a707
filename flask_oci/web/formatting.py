"""The formatting of sizes, times and digests on pages."""

from __future__ import annotations

import re
import typing as t
from datetime import datetime
from datetime import timedelta
from datetime import timezone

from markupsafe import Markup

from ..catalog.manifest_relations import PullSize
from ..rules.quota import readable
from . import translation
from .translation import gettext
from .translation import ngettext

#: The number of digits of a shortened digest.
_DIGEST_LENGTH: t.Final = 12

#: The units of sizes in the Unicode Common Locale Data Repository.
_UNITS: t.Final = {
    "B": "byte",
    "kB": "kilobyte",
    "MB": "megabyte",
    "GB": "gigabyte",
    "TB": "terabyte",
    "PB": "petabyte",
}

#: The maximum length of a pushed text on a page, in characters.
_MAX_TEXT_LENGTH: t.Final = 2000


def size(count: int) -> str:
    """Return a number of bytes with a decimal unit, such as "1.5 MB" or "1,5 Mo"."""
    text, units = readable(count), translation.babel("units")
    if units is None or translation.language() == translation.SOURCE:
        return text
    figure, unit = text.split(" ")
    places = ".0" if "." in figure else ""
    return t.cast(
        str,
        units.format_unit(
            float(figure),
            f"digital-{_UNITS[unit]}",
            length="short",
            format=f"#,##0{places}",
            locale=translation.locale(),
        ),
    )


def pull_size(pull: PullSize) -> str:
    """Return the size of one pull, or the range of sizes of an index."""
    smallest, largest = size(pull.smallest), size(pull.largest)
    if smallest == largest:
        return smallest
    return gettext("%(smallest)s to %(largest)s", smallest=smallest, largest=largest)


def ago(moment: datetime) -> Markup:
    """Return a relative time, with the exact time as its tooltip."""
    seconds = max(0, int((datetime.now(timezone.utc) - moment).total_seconds()))
    exact = moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        moment.isoformat(timespec="seconds"), exact, _elapsed(seconds)
    )


def duration(span: timedelta) -> Markup:
    """Return a duration in its largest unit, rounded down."""
    seconds = int(span.total_seconds())
    if seconds < 7200:
        return ngettext("%(num)s minute", "%(num)s minutes", seconds // 60)
    if seconds < 2 * 86400:
        return ngettext("%(num)s hour", "%(num)s hours", seconds // 3600)
    return ngettext("%(num)s day", "%(num)s days", seconds // 86400)


def visibility_name(visibility: str) -> str:
    """Return the name of a visibility in the visitor's language."""
    names = {
        "private": gettext("private"),
        "internal": gettext("internal"),
        "public": gettext("public"),
    }
    return names.get(visibility, visibility)


def short(digest: str) -> str:
    """Return the first digits of a digest."""
    return digest.partition(":")[2][:_DIGEST_LENGTH] or digest[:_DIGEST_LENGTH]


def cut(text: str, length: int = _MAX_TEXT_LENGTH) -> str:
    """Return a text, truncated if it is too long for a page.

    :param length: the maximum number of characters.
    """
    if len(text) <= length:
        return text
    return text[:length] + "…"


def breakable(text: str) -> Markup:
    """Return a media type with optional line breaks between its parts."""
    parts = re.split(r"(?<=[./])", cut(text))
    return Markup("<wbr>").join(parts)


def _elapsed(seconds: int) -> str:
    days = seconds // 86400
    if seconds < 60:
        return gettext("just now")
    if seconds < 3600:
        minutes = seconds // 60
        return ngettext("%(num)s minute ago", "%(num)s minutes ago", minutes)
    if days < 1:
        return ngettext("%(num)s hour ago", "%(num)s hours ago", seconds // 3600)
    if days < 31:
        return ngettext("%(num)s day ago", "%(num)s days ago", days)
    if days < 365:
        return ngettext("%(num)s month ago", "%(num)s months ago", days // 30)
    return ngettext("%(num)s year ago", "%(num)s years ago", days // 365)
