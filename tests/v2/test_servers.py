"""WSGI servers: what the registry does with each way to pass on a chunked body.

The table of servers in docs/deployment.rst depends on it.
"""

from __future__ import annotations

import io
import typing as t

import pytest

from flask_oci.testing.answers import refusal
from flask_oci.testing.manifests import digest_of
from flask_oci.testing.manifests import image
from flask_oci.testing.manifests import LAYER
from flask_oci.testing.manifests import OCI_MANIFEST
from flask_oci.testing.requests import with_query
from tests.support.registry_client import RegistryClient

from .test_bodies_in_memory import bearer
from .test_bodies_in_memory import UPLOADS

NAME = "alice/app"


class Connection(io.RawIOBase):
    """A stream that has no end and no positions, as of a connection."""

    def __init__(self, content: bytes) -> None:
        self._left = content

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: t.Any) -> int:
        """Fill a buffer with the next bytes."""
        piece, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


#: The environment of each server, besides the body. An absent mark is like False.
UNMARKED: dict[str, dict[str, t.Any]] = {
    "uWSGI": {"CONTENT_LENGTH": ""},
    "eventlet": {"wsgi.input_terminated": False},
    "a2wsgi": {},
    "wsgiref": {"CONTENT_LENGTH": ""},
}
MARKED: dict[str, dict[str, t.Any]] = {
    "gunicorn": {"wsgi.input_terminated": True},
    "mod_wsgi": {"wsgi.input_terminated": True, "mod_wsgi.version": (5, 0, 2)},
}


def send(
    client: RegistryClient, method: str, path: str, body: bytes, **environ: t.Any
) -> t.Any:
    """Send a chunked body as a server passes it on."""
    return client.send(
        method,
        path,
        headers={**bearer(client), "Content-Type": OCI_MANIFEST},
        environ={
            "HTTP_TRANSFER_ENCODING": "chunked",
            "wsgi.input": Connection(body),
            **environ,
        },
    )


def targets(client: RegistryClient) -> dict[str, tuple[str, str, bytes]]:
    """Return each request that has a body: its method, its address and the body."""
    digest = digest_of(LAYER)
    return {
        "chunk": ("PATCH", client.start_upload(NAME), LAYER),
        "last chunk": (
            "PUT",
            with_query(client.start_upload(NAME), digest=digest),
            LAYER,
        ),
        "whole blob": ("POST", with_query(UPLOADS, digest=digest), LAYER),
        "manifest": ("PUT", f"/v2/{NAME}/manifests/1.0", image()),
    }


@pytest.mark.parametrize("server", UNMARKED)
def test_chunked_body_without_mark_of_its_end_is_refused(
    alice: RegistryClient, server: str
) -> None:
    """It would look empty, or last as long as the connection."""
    for method, path, body in targets(alice).values():
        response = send(alice, method, path, body, **UNMARKED[server])
        assert refusal(response) == (501, "UNSUPPORTED")
    for content in (b"", LAYER):
        assert alice.head(f"/v2/{NAME}/blobs/{digest_of(content)}").status_code == 404


@pytest.mark.parametrize("server", MARKED)
def test_chunked_body_with_mark_of_its_end_is_stored(
    alice: RegistryClient, server: str
) -> None:
    """The server ends the stream with the body."""
    alice.push_image(NAME, "0.9")
    for method, path, body in targets(alice).values():
        response = send(alice, method, path, body, **MARKED[server])
        assert response.status_code in (201, 202)
    assert alice.get(f"/v2/{NAME}/blobs/{digest_of(LAYER)}").data == LAYER
