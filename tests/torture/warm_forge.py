"""The example forge, which pushes and pulls once before it forks.

A new worker would otherwise spend most of its short life compiling statements.
"""

from __future__ import annotations

import base64
import typing as t

from flask import Flask

from example_app import create_app as create_forge
from example_app.models import db

from .content import Blob
from .content import Image
from .content import MANIFEST_TYPE


def create_app() -> Flask:
    """Create the forge."""
    app = create_forge()
    client = app.test_client()
    secret = base64.b64encode(b"alice:wonderland").decode()
    image = Image.of("warm", [Blob.of(b"warm")])
    uploads = "/v2/alice/warm/blobs/uploads/"
    manifests = "/v2/alice/warm/manifests/"
    config, layer = image.blobs

    def send(method: str, path: str, body: bytes = b"", **headers: str) -> t.Any:
        headers["Authorization"] = f"Basic {secret}"
        response = client.open(path, method=method, data=body, headers=headers)
        assert response.status_code < 300, response.data
        return response

    location = send("POST", uploads).headers["Location"]
    send("PATCH", location, config.content)
    send("GET", location)
    send("PUT", f"{location}?digest={config.digest}")
    send("POST", f"{uploads}?digest={layer.digest}", layer.content)
    send("POST", f"{uploads}?mount={layer.digest}&from=alice/warm")
    send("HEAD", f"/v2/alice/warm/blobs/{layer.digest}")
    for reference in ("latest", image.digest):
        send(
            "PUT",
            manifests + reference,
            image.manifest,
            **{"Content-Type": MANIFEST_TYPE},
        )
    send("GET", f"{manifests}latest")
    send("DELETE", f"{manifests}latest")
    send("DELETE", manifests + image.digest)
    with app.app_context():
        # A forked process must not share an open connection.
        db.engine.dispose()
    return app
