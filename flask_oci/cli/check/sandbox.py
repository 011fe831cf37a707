"""A repository and a token for the time of a check, and nothing of them afterwards."""

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

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ...auth.access_tokens import IssuedToken
    from ...services import Services
    from .target import Target

#: After how long the token ends, should nobody be left to revoke it.
LIFETIME: t.Final = timedelta(minutes=10)

#: For how many seconds a request that was broken off is waited for.
PATIENCE: t.Final = 5.0


@dataclass
class Sandbox:
    """What a check uses to push and pull."""

    repository: str
    authorization: str | None = None
    """A header with the user's name and a token of its own, if there is a user."""

    digests: list[str] = field(default_factory=list)
    """What is being pushed; it is told before, so that it can be taken back."""

    stored: str | None = None
    """The digest of a layer that is there."""


def new_name(namespace: str) -> str:
    """Return a name of a repository that nobody has."""
    return f"{namespace}/flask-oci-check-{secrets.token_hex(8)}"


@contextmanager
def rehearse(subject: Target) -> Iterator[Sandbox]:
    """Make a token that reaches one new repository; at the end, take back the token,
    the repository and what was pushed to it, whatever ends it.

    Without a user there is no token, but strangers may be able to push.
    """
    parts, rehearsal, issued = subject.parts, Sandbox(subject.repository), None
    try:
        if subject.user is not None:
            issued = _issue(subject)
            username = parts.catalog.users.namespace_of(subject.user)
            pair = base64.b64encode(f"{username}:{issued.secret}".encode()).decode()
            rehearsal.authorization = f"Basic {pair}"
        # Nobody should wait for this connection while bytes flow.
        parts.catalog.release()
        yield rehearsal
    finally:
        with _undisturbed():
            if issued is not None:
                parts.access_tokens.revoke(issued.id)
            _clear(parts, rehearsal)


def _issue(subject: Target) -> IssuedToken:
    return subject.parts.access_tokens.issue(
        subject.user,
        name="flask oci check",
        repositories=[subject.repository],
        actions=["pull", "push"],
        expires=LIFETIME,
    )


def _clear(parts: Services, rehearsal: Sandbox) -> None:
    repository = parts.catalog.repositories.find(rehearsal.repository)
    if repository.id is not None:
        uploads = parts.catalog.uploads.of(repository.id)
        parts.catalog.repositories.delete(repository)
        for uuid in uploads:
            _wait_for(parts, uuid)
            parts.storage.discard_upload(uuid)
        parts.catalog.outbox.forget(rehearsal.repository)
    for text in rehearsal.digests:
        digest = Digest.parse(text)
        with parts.storage.exclusive_lock(digest):
            # Nobody else has bytes that were made up a moment ago, but ask.
            later = utcnow() + timedelta(seconds=1)
            parts.catalog.garbage.delete_blob(digest, later)
            if not parts.catalog.garbage.unrecorded([digest]):
                continue
            parts.storage.delete(digest)


def _wait_for(parts: Services, uuid: str) -> None:
    """Wait until the server has noticed that a request was broken off: it keeps what
    it has got, and would do so after us."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with parts.storage.open_upload(uuid):
                return
        except BlobUploadUnknown:
            return
        except BlobUploadInvalid:
            time.sleep(0.05)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let nothing interrupt: who is impatient presses the keys twice, or ends it."""
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
