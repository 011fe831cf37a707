"""Links in ``Link`` headers, which lead to the next page of a list (RFC 8288)."""

from __future__ import annotations

import re
import typing as t

#: The largest ``Link`` header, in characters; the rest is ignored.
MAX_LINK: t.Final = 16 * 1024

#: A link and its parameters (RFC 8288, section 3). It is matched at one position after
#: the other, so every character is read once.
_LINK = re.compile(r'[\s,]*<([^<>]*)>((?:[^,"]|"[^"]*")*)')
_REL_NEXT = re.compile(r';\s*rel\s*=\s*"?next"?\s*(?:;|$)', re.I)


def next_link(header: str) -> str | None:
    """Return the address of the next page in a ``Link`` header, or None."""
    header, position = header[:MAX_LINK], 0
    while (link := _LINK.match(header, position)) is not None:
        if _REL_NEXT.search(link[2]):
            return link[1]
        position = link.end()
    return None
