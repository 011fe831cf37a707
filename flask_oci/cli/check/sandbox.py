"""The temporary repository and token of a check."""

from __future__ import annotations

import base64
import secrets
import signal
import threading
import time
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from datetime import timedelta

from ...clock import utcnow
from ...errors import BlobUploadInvalid
from ...errors import BlobUploadUnknown
from ...spec.digest import Digest
from ...storage.place import Place

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ...auth.access_tokens import IssuedToken
    from ...services import Services
    from .target import Target

#: The lifetime of the token, in case the check cannot revoke it.
LIFETIME: t.Final = timedelta(minutes=10)

#: How long to wait for an interrupted request, in seconds.
TIMEOUT: t.Final = 5.0


@dataclass
class Sandbox:
    """The repository that a check pushes to, and its credentials."""

    repository: str
    authorization: str | None = None
    """The Authorization header with name and token, if there is a user."""

    digests: list[str] = field(default_factory=list)
    """The layers to delete at the end; added before they are pushed."""

    stored: str | None = None
    """The digest of a pushed layer."""


def new_name(namespace: str) -> str:
    """Return the name of a new repository."""
    return f"{namespace}/flask-oci-check-{secrets.token_hex(8)}"


@contextmanager
def open_sandbox(target: Target) -> Iterator[Sandbox]:
    """Issue a token for one new repository.

    At the end, however the check ends, revoke the token and delete the repository and
    its layers. Without a user there is no token, but anonymous clients may be able to
    push.
    """
    parts, sandbox, issued = target.parts, Sandbox(target.repository), None
    try:
        if target.user is not None:
            issued = _issue(target)
            username = parts.catalog.users.namespace_of(target.user)
            pair = base64.b64encode(f"{username}:{issued.secret}".encode()).decode()
            sandbox.authorization = f"Basic {pair}"
        # Return the connection to the pool while the check sends layers.
        parts.catalog.release()
        yield sandbox
    finally:
        with _signals_ignored():
            if issued is not None:
                parts.access_tokens.revoke(issued.id)
            _clear(parts, sandbox)


def _issue(target: Target) -> IssuedToken:
    return target.parts.access_tokens.issue(
        target.user,
        name="flask oci check",
        repositories=[target.repository],
        actions=["pull", "push"],
        expires=LIFETIME,
    )


def _clear(parts: Services, sandbox: Sandbox) -> None:
    repository = parts.catalog.repositories.find(sandbox.repository)
    if repository.id is not None:
        uploads = parts.catalog.uploads.of(repository.id)
        parts.catalog.repositories.delete(repository)
        for uuid in uploads:
            _wait_for(parts, uuid)
            parts.storage.discard_upload(uuid)
        parts.catalog.outbox.forget(sandbox.repository)
    for text in sandbox.digests:
        digest = Digest.parse(text)
        with parts.storage.exclusive_lock(digest):
            # No other repository should have the random bytes, but verify it.
            later = utcnow() + timedelta(seconds=1)
            place = parts.catalog.blob_garbage.delete(digest, later)
            if place is None:
                # The server may have stored the file, and then found no repository.
                if parts.catalog.blob_garbage.unrecorded([digest]):
                    parts.storage.delete([Place(digest, 0)])
                continue
            parts.storage.delete([place])
            parts.catalog.blob_places.forget_place(place)


def _wait_for(parts: Services, uuid: str) -> None:
    """Wait until the server has noticed that a request was interrupted.

    The server stores the bytes it has received, and would do so after the cleanup.
    """
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        try:
            with parts.storage.open_upload(uuid):
                return
        except BlobUploadUnknown:
            return
        except BlobUploadInvalid:
            time.sleep(0.05)


@contextmanager
def _signals_ignored() -> Iterator[None]:
    """Ignore signals during the cleanup, because users often press Ctrl-C twice."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
