"""The test tools as pytest fixtures, for tests with a fixture ``app``.

To use them, write in ``conftest.py``::

    pytest_plugins = ["flask_oci.testing.plugin"]
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from .client import DockerClient
from .client import MakeClient
from .faults import Faults
from .server import serving

if t.TYPE_CHECKING:
    from flask import Flask


@pytest.fixture
def oci_storage(tmp_path: Path) -> Path:
    """A folder of the test, for ``OCI_STORAGE_PATH``."""
    return tmp_path / "oci"


@pytest.fixture
def oci_client(app: Flask) -> MakeClient:
    """A function that returns a client of the application's registry.

    Its arguments are a user name and a password or access token.
    """

    def make_client(
        username: str = "", secret: str = "", /, url: str = "http://localhost"
    ) -> DockerClient:
        return DockerClient(app, username, secret, url)

    return make_client


@pytest.fixture
def oci_faults(app: Flask) -> Faults:
    """Failures below the application's registry."""
    return Faults(app)


@pytest.fixture
def oci_server(app: Flask) -> t.Iterator[str]:
    """The host and port of a server of the application, for real clients."""
    with serving(app) as port:
        yield f"127.0.0.1:{port}"
