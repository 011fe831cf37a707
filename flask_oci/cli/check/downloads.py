"""Checks of downloads that nginx or the object store sends."""

from __future__ import annotations

import hashlib
import typing as t
from contextlib import suppress
from urllib.parse import urlsplit

from ...errors import Unavailable
from ...events import ssrf
from ...events.http_client import look_up
from ...storage.buckets.storage import IDENTITY
from ...storage.place import object_at
from .finding import Finding
from .findings import downloads as findings
from .http_transport import HttpTransport
from .transport import Unreachable

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .session import Session
    from .target import Target
    from .transport import Reply

#: How long a signed URL of the check is valid, in seconds.
LIFETIME: t.Final = 60


def check(target: Target) -> Iterator[Finding]:
    """Check that each object store signs URLs that clients can use."""
    config = target.parts.config
    is_redirect = config.downloads == "redirect"
    if not is_redirect and config.accel_redirect is None:
        return
    for store in target.parts.storage.stores():
        # Another finding is about a store without credentials.
        with suppress(Unavailable):
            url = target.parts.storage.sign(
                object_at(store, IDENTITY), LIFETIME, is_public=is_redirect
            )
            if url is None:
                yield findings.UNSIGNED.found(f"It is {store}.")
            elif is_redirect:
                yield from _address(target, url)


def _address(target: Target, url: str) -> Iterator[Finding]:
    registry = urlsplit(target.url or target.parts.config.external_url or "")
    store, own = urlsplit(url), registry.hostname or ""
    host = store.hostname or ""
    if registry.scheme == "https" and store.scheme == "http":
        yield findings.REDIRECT_PLAIN_HTTP.found(f"They are sent to {_origin(url)}.")
    if not own:
        return
    if host == own or host.endswith(f".{own}"):
        yield findings.REDIRECT_SAME_HOST.found(f"It is {host}.")
    if _is_private(host) and not _is_private(own):
        yield findings.REDIRECT_PRIVATE.found(f"They are sent to {_origin(url)}.")


def _is_private(host: str) -> bool:
    """Return True if no address of a host is public."""
    try:
        ssrf.choose(look_up(host, 443), ())
    except ssrf.Forbidden:
        return True
    except OSError:
        # The name may be one of a private network, in which this machine is not.
        return "." not in host
    return False


def follow(session: Session, reply: Reply, digest: str) -> Iterator[Finding]:
    """Follow a redirect as a client does: without the token.

    :param reply: the redirect.
    :param digest: the digest of the layer.
    """
    transport, location = session.transport, reply.headers["location"]
    if not isinstance(transport, HttpTransport):
        return
    parts = urlsplit(location)
    store = HttpTransport(_origin(location), transport.cafile)
    try:
        answer = store.ask("GET", f"{parts.path}?{parts.query}")
    except Unreachable as error:
        yield findings.REDIRECT_FAILS.found(f"{_origin(location)}: {error}.")
        return
    if answer.status != 200:
        yield findings.REDIRECT_FAILS.found(
            f"{_origin(location)} answers {answer.status}."
        )
    elif f"sha256:{hashlib.sha256(answer.body).hexdigest()}" != digest:
        yield findings.REDIRECT_FAILS.found(
            f"The {len(answer.body)} bytes of {_origin(location)} have another digest."
        )


def is_streamed_for_nginx(reply: Reply) -> bool:
    """Return True if nginx has asked the application for the bytes."""
    return "x-oci-downloads" in reply.headers


def _origin(url: str) -> str:
    """Return the scheme and the host of a URL, without its signature."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
