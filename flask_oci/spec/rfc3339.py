"""Times in annotations and configs (RFC 3339, section 5.6)."""

from __future__ import annotations

import re
from datetime import datetime

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,30}))?([Zz]|[+-]\d\d:\d\d)?", re.ASCII
)


def parse_time(value: object) -> datetime | None:
    """Return a time, or None if the value is not one. A time without an offset is in
    UTC."""
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    # Python's times have no more digits than microseconds.
    fraction = (found[2] or "").ljust(6, "0")[:6]
    zone = "+00:00" if found[3] in ("Z", "z", None) else found[3]
    try:
        return datetime.fromisoformat(f"{found[1]}.{fraction}{zone}")
    except ValueError:
        return None
