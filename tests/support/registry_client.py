"""The kit's client, for the users of the host that most tests have."""

from __future__ import annotations

import io
import typing as t

from flask import Flask

from flask_oci import testing
from flask_oci.testing.requests import basic
from flask_oci.testing.requests import CHUNKED
from tests.support.host import PASSWORDS

#: A well-formed session id that no registry has given out.
NO_SESSION = "00000000-0000-4000-8000-000000000000"

#: Tags by which a client attaches something to an image.
ATTACHED = (
    f"sha256-{'0' * 64}",
    *(f"sha256-{'a' * 64}.{suffix}" for suffix in ("sig", "att", "sbom")),
    f"sha512-{'f' * 64}",
)

#: Tags that nearly are some of these.
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
    """Somebody who talks HTTP to the registry of an application.

    :param authorization: the header that every request carries, if any.
    """

    app: Flask

    def __init__(self, app: Flask, authorization: str | None = None) -> None:
        super().__init__(app, authorization)

    @classmethod
    def of(cls, app: Flask, username: str) -> RegistryClient:
        """Return a client that sends the password of a user each time."""
        return cls(app, basic(username, PASSWORDS[username]))


class Source:
    """A body that a test looks after while it is read.

    :param on_read: called before each read.
    """

    def __init__(
        self, content: bytes, on_read: t.Callable[[], object] | None = None
    ) -> None:
        self._rest = io.BytesIO(content)
        self._on_read = on_read
        self.reads: list[int] = []
        """How many bytes were asked for each time; -1 is for all of them."""

    def read(self, size: int = -1) -> bytes:
        """Return what a server would."""
        self.reads.append(size)
        if self._on_read:
            self._on_read()
        return self._rest.read(size)

    def environ(self, length: int | None) -> dict[str, object]:
        """Return the WSGI environment of a request with this body.

        :param length: what its Content-Length says; None is a chunked body.
        """
        if length is None:
            return {**CHUNKED, "wsgi.input": self}
        return {"CONTENT_LENGTH": str(length), "wsgi.input": self}
