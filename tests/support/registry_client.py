"""The test kit's client, for the users of ``tests/support/host.py``."""

from __future__ import annotations

import io
import typing as t

from flask import Flask

from flask_oci import testing
from flask_oci.testing.requests import basic
from flask_oci.testing.requests import CHUNKED
from tests.support.host import PASSWORDS

#: A well-formed session id that no registry has issued.
NO_SESSION = "00000000-0000-4000-8000-000000000000"

#: Tags with which a client attaches content to an image.
ATTACHED = (
    f"sha256-{'0' * 64}",
    *(f"sha256-{'a' * 64}.{suffix}" for suffix in ("sig", "att", "sbom")),
    f"sha512-{'f' * 64}",
)

#: Tags that resemble these.
LOOKS_ATTACHED = (
    "sha256-v2",
    f"sha256-{'v' * 64}",
    f"sha256-{'0' * 63}.sig",
    f"sha256-{'G' * 64}.sig",
    f"SHA256-{'0' * 64}.sig",
    f"sha256-{'A' * 64}.sig",
    f"sha256-{'0' * 64}.exe",
    f"sha256-{'0' * 64}.sig2",
    f"sha256-{'0' * 64}-sig",
    f"x-sha256-{'0' * 64}",
    f"sha384-{'0' * 64}",
    f"md5-{'0' * 32}",
)


class RegistryClient(testing.RegistryClient):
    """An HTTP client of the registry of an application.

    :param authorization: the header of every request, if any.
    """

    app: Flask

    def __init__(self, app: Flask, authorization: str | None = None) -> None:
        super().__init__(app, authorization)

    @classmethod
    def of(cls, app: Flask, username: str) -> RegistryClient:
        """Return a client that sends a user's password with each request."""
        return cls(app, basic(username, PASSWORDS[username]))


class Source:
    """A request body whose reads a test observes.

    :param on_read: called before each read.
    """

    def __init__(
        self, content: bytes, on_read: t.Callable[[], object] | None = None
    ) -> None:
        self._rest = io.BytesIO(content)
        self._on_read = on_read
        self.reads: list[int] = []
        """The requested size of each read; -1 is all bytes."""

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, as a server's input does."""
        self.reads.append(size)
        if self._on_read:
            self._on_read()
        return self._rest.read(size)

    def environ(self, length: int | None) -> dict[str, object]:
        """Return the WSGI environment of a request with this body.

        :param length: its Content-Length; None is a chunked body.
        """
        if length is None:
            return {**CHUNKED, "wsgi.input": self}
        return {"CONTENT_LENGTH": str(length), "wsgi.input": self}
