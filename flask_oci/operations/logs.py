"""Log records that say which request they are of."""

from __future__ import annotations

import logging
import typing as t

from flask import has_request_context
from flask import request

from ..events.request_state import request_state


class RequestFilter(logging.Filter):
    """Gives each record what its request is about: ``repository``, ``digest``, ``tag``,
    ``user``, ``address`` and ``route``, each None where there is none.

    Add it to a handler. It lets every record pass.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the attributes."""
        found = fields() if has_request_context() else {}
        for name in FIELDS:
            setattr(record, name, found.get(name))
        return True


#: What a record is given.
FIELDS: t.Final = ("repository", "digest", "tag", "user", "address", "route")


def fields() -> dict[str, str | None]:
    """Return what the current request is about."""
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
