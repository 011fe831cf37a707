"""Log records with fields of the current request."""

from __future__ import annotations

import logging
import typing as t

from flask import has_request_context
from flask import request

from ..events.request_state import request_state


class RequestFilter(logging.Filter):
    """Adds fields of the current request to each log record: ``repository``,
    ``digest``, ``tag``, ``user``, ``address`` and ``route``. A field without a value is
    None.

    Add it to a handler. It accepts every record.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields to a record."""
        found = fields() if has_request_context() else {}
        for name in FIELDS:
            setattr(record, name, found.get(name))
        return True


#: The names of the fields.
FIELDS: t.Final = ("repository", "digest", "tag", "user", "address", "route")


def fields() -> dict[str, str | None]:
    """Return the fields of the current request."""
    values = request.view_args or {}
    reference = values.get("reference", "")
    named = values.get("digest") or (reference if ":" in reference else None)
    return {
        "repository": values.get("name"),
        "digest": named or request.args.get("digest") or request.args.get("mount"),
        "tag": reference if reference and ":" not in reference else None,
        "user": request_state().actor,
        "address": request.remote_addr,
        "route": request.endpoint,
    }
