"""Common steps of tests of upload sessions."""

from __future__ import annotations

from werkzeug.test import TestResponse

from flask_oci.testing.manifests import digest_of
from flask_oci.testing.requests import with_query
from tests.support.registry_client import RegistryClient

CONTENT = bytes(range(256)) * 8
DIGEST = digest_of(CONTENT)
HALF = len(CONTENT) // 2


def close(client: RegistryClient, location: str, body: bytes = b"") -> TestResponse:
    """Close a session, with the rest of its content if any."""
    return client.put(with_query(location, digest=DIGEST), body)


def expect_bytes(client: RegistryClient, location: str, length: int) -> None:
    """Check that a session is open and has this many bytes."""
    response = client.get(location)
    assert response.status_code == 204
    assert response.headers["Range"] == f"0-{max(length - 1, 0)}"
    assert response.headers["Location"] == location.partition("?")[0]
    assert response.headers["Docker-Upload-UUID"] in location
    assert response.data == b""
