"""The forge on granian, which answers more small requests than gunicorn.

granian --interface wsgi --http 1 --workers 2 --blocking-threads 8 \
    --workers-kill-timeout 300 --respawn-failed-workers --port 5000 \
    --factory example_app.servers.on_granian:create_app
"""

from __future__ import annotations

import gc
import typing as t

from flask import Flask

from .. import create_app as create_forge


def create_app(config: dict[str, t.Any] | None = None) -> Flask:
    """Create the forge in a worker process."""
    app = create_forge(config)
    # As in gunicorn.conf.py: the cyclic garbage collector runs less often.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
    return app
