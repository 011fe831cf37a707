from __future__ import annotations

import pytest
from flask import Flask

from flask_oci.testing.requests import basic
from tests.support.host import registry
from tests.support.registry_client import RegistryClient

NAME = "alice/app"


@pytest.fixture(name="machine")
def _machine(app: Flask) -> RegistryClient:
    """A client with a bearer token issued for an access token, as most clients have."""
    with app.test_request_context():
        alice = registry._catalog.users.by_name("alice")
        secret = registry.access_tokens.issue(alice).secret
    logged_in = RegistryClient(app, basic("alice", secret))
    scopes = (f"repository:{NAME}:pull,push,delete", "registry:catalog:*")
    # The first exchange records the use of the access token; the second does not.
    logged_in.bearer(*scopes)
    return logged_in.bearer(*scopes)
