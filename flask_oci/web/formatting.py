"""How sizes, moments and digests read on a page."""

from __future__ import annotations

import re
import typing as t
from datetime import datetime
from datetime import timezone

from markupsafe import Markup

from ..rules.quota import readable
from .translation import gettext
from .translation import ngettext

#: How many digits of a digest tell it from its neighbours.
_SHORT: t.Final = 12

#: How much of a text that somebody pushed is shown.
_LONGEST: t.Final = 2000


def size(count: int) -> str:
    """Write a number of bytes as people read it, in powers of 1000."""
    return readable(count)


def ago(moment: datetime) -> Markup:
    """Write how long ago something was; the exact moment is told on hovering."""
    seconds = max(0, int((datetime.now(timezone.utc) - moment).total_seconds()))
    exact = moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        moment.isoformat(timespec="seconds"), exact, _elapsed(seconds)
    )


def short(digest: str) -> str:
    """Write the first digits of a digest."""
    return digest.partition(":")[2][:_SHORT] or digest[:_SHORT]


def cut(text: str) -> str:
    """Write a text that may be very long, and so is not all written."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def breakable(text: str) -> Markup:
    """Write a media type so that a line may end where one of its parts does."""
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
