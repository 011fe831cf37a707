"""The forge on granian, behind the nginx of nginx.conf, which sends the blobs.

granian --interface wsgi --http 1 --workers 2 --blocking-threads 8 \
    --workers-kill-timeout 300 --respawn-failed-workers --uds instance/forge.sock \
    --factory example_app.servers.behind_nginx:create_app
"""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from . import on_granian


def create_app() -> Flask:
    """Create the forge in a worker process."""
    app = on_granian.create_app({"OCI_ACCEL_REDIRECT": "/_oci_blobs"})
    # nginx sets these headers. Without nginx, any client could forge them.
    app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
        app.wsgi_app, x_for=1, x_proto=1, x_host=1
    )
    return app
