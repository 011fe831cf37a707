"""Calls a host's functions when something is done, whatever becomes of each."""

from __future__ import annotations

import logging
import typing as t

from flask import current_app

from .awaitables import name_of
from .awaitables import refuse_awaitable
from .config import EXTENSION

if t.TYPE_CHECKING:
    from blinker import NamedSignal

    from .catalog import Catalog


def tell(signal: NamedSignal, logger: logging.Logger, **what: t.Any) -> None:
    """Call every receiver of a signal about what is done.

    What one leaves in the session is committed. Where that fails, or the receiver
    does, it is logged, and nothing of it is left for whoever uses the session next.

    :param what: what the receivers are given beside the application.
    """
    app = t.cast(t.Any, current_app)._get_current_object()
    receivers = list(signal.receivers_for(app))
    if not receivers:
        return
    catalog: Catalog = app.extensions[EXTENSION].catalog
    # So that what fails takes nothing along that the host had begun before.
    catalog.release()
    for receiver in receivers:
        try:
            refuse_awaitable(receiver(app, **what), name_of(receiver))
            catalog.release()
        except Exception:
            catalog.abandon()
            # It is done, and the client must not be told that it is not.
            logger.exception("A receiver of %s failed.", signal.name)
